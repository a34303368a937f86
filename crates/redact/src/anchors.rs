//! What the prefilter searches for to find a key: its rarest letters, because each match costs time.

use crate::escapes::may_be_escaped;

/// A word that is searched for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Anchor {
    /// The words that follow each other, in lower case.
    pub words: Vec<String>,
    /// The words of which one must precede; any may if empty.
    pub after: Vec<String>,
    /// The position in the first word of the four letters that are searched for.
    pub offset: usize,
    /// Whether a space must follow.
    pub before_space: bool,
}

impl Anchor {
    pub(crate) fn of(words: &[String]) -> Self {
        let anchor = Self { words: words.to_vec(), after: Vec::new(), offset: 0, before_space: false };
        let Some((last, before)) = words.split_last() else { return anchor };
        match last.as_str() {
            // Their first words are frequent: `user_code`, `db_pass`.
            "code" | "codes" | "verifier" | "passe" if !before.is_empty() => {
                Self { words: vec![last.clone()], after: before[before.len() - 1..].to_vec(), ..anchor }
            }
            "pass" => Self { words: vec![last.clone()], ..anchor },
            // Not the beginning of `content`.
            word if word.starts_with("contrasen") || word.starts_with("contraseñ") => {
                Self { offset: "cont".len(), ..anchor }
            }
            "basic" | "digest" => Self { before_space: true, ..anchor },
            _ => anchor,
        }
    }

    /// Whether one of the words that must precede ends here; `true` if that is not certain.
    pub(crate) fn may_follow(&self, text: &[u8]) -> bool {
        if self.after.is_empty() || may_be_escaped(text) {
            return true;
        }
        let is_separator = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric();
        let separators = text.iter().rev().take_while(|byte| is_separator(byte)).count();
        let before = &text[..text.len() - separators];
        let digits = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let before = &before[..before.len() - digits];
        may_be_escaped(before)
            || before.last().is_some_and(|byte| !byte.is_ascii())
            || self.after.iter().any(|word| {
                let start = before.len().checked_sub(word.len());
                start.is_some_and(|start| before[start..].eq_ignore_ascii_case(word.as_bytes()))
            })
    }

    /// Whether the word, which ends before this text, may be followed by it.
    pub(crate) fn may_precede(&self, text: &[u8]) -> bool {
        !self.before_space || text.first().is_none_or(|byte| b" +%\\".contains(byte))
    }
}
