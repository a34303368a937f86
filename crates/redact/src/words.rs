//! Splitting of a text into words: at characters other than letters and digits, and optionally at changes of case.

use std::ops::Range;

/// The changes of case that separate words.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Split {
    /// `userAPIKey`: user, api, key.
    Camel,
    /// `CSRFtoken`: csrf, token.
    Acronyms,
    /// No change of case: `PaSsWoRd` is one word.
    Separators,
}

/// The ranges of the words of a text.
#[derive(Clone)]
pub(crate) struct Words<'a> {
    text: &'a str,
    split: Split,
    at: usize,
    before: Option<char>,
}

impl<'a> Words<'a> {
    pub(crate) fn of(text: &'a str, split: Split) -> Self {
        Self { text, split, at: 0, before: None }
    }

    /// Whether a word of `length` letters ends before the character `c`, the first of `rest`.
    fn is_boundary(&self, c: char, rest: &str, length: usize) -> bool {
        let is_upper = c.is_uppercase();
        if !is_upper && self.split != Split::Acronyms {
            return false;
        }
        let rises = || is_upper && self.before.is_some_and(|before| !before.is_uppercase());
        let falls = || is_upper && rest[c.len_utf8()..].chars().next().is_some_and(char::is_lowercase);
        // A lowercase letter after two or more uppercase ones starts a new word.
        let drops = || length > 1 && c.is_lowercase() && self.before.is_some_and(char::is_uppercase);
        match self.split {
            Split::Camel => rises() || falls(),
            Split::Acronyms => rises() || drops(),
            Split::Separators => false,
        }
    }
}

impl Iterator for Words<'_> {
    type Item = Range<usize>;

    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        let mut start = self.at;
        // Counted in lower case.
        let mut length = 0;
        while let Some(c) = self.text[self.at..].chars().next() {
            let separates = !c.is_alphanumeric();
            if length > 0 && (separates || self.is_boundary(c, &self.text[self.at..], length)) {
                return Some(start..self.at);
            }
            self.before = Some(c);
            self.at += c.len_utf8();
            if separates {
                start = self.at;
            } else {
                length += if c.is_ascii() { 1 } else { folded(c).count() };
            }
            // Fast path: no word ends between two of these.
            let is_small = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                let more = self.text.as_bytes()[self.at..].iter().take_while(|byte| is_small(byte)).count();
                self.at += more;
                length += more;
            }
        }
        (length > 0).then_some(start..self.at)
    }
}

/// Case folding: lower case, and the long s as an s.
pub(crate) fn folded(c: char) -> impl Iterator<Item = char> {
    if c == 'ſ' { 's' } else { c }.to_lowercase()
}

/// Whether a candidate is a word, given in lower case, with optional digits at its end such as `password2`.
#[inline]
pub(crate) fn matches_word(word: &str, candidate: &str) -> bool {
    if candidate.is_ascii() {
        let (candidate, word) = (candidate.as_bytes(), word.as_bytes());
        return candidate.len() >= word.len()
            && candidate[..word.len()].eq_ignore_ascii_case(word)
            && candidate[word.len()..].iter().all(u8::is_ascii_digit);
    }
    let mut letters = candidate.chars().flat_map(folded);
    word.chars().all(|letter| letters.next() == Some(letter)) && letters.all(|letter| letter.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(key: &str, split: Split) -> Vec<&str> {
        Words::of(key, split).map(|word| &key[word]).collect()
    }

    #[test]
    fn a_key_is_split_at_separators_and_case_changes() {
        assert_eq!(words("userAPIKey", Split::Camel), ["user", "API", "Key"]);
        assert_eq!(words("Session-Id", Split::Camel), ["Session", "Id"]);
        assert_eq!(words("card.number", Split::Camel), ["card", "number"]);
        assert_eq!(words("PASSWORD", Split::Camel), ["PASSWORD"]);
        assert_eq!(words(" CSRFtoken_é1", Split::Acronyms), ["CSRF", "token", "é1"]);
        assert_eq!(words("\"PaSs\":WoRd", Split::Separators), ["PaSs", "WoRd"]);
        assert_eq!(words("--", Split::Separators), [""; 0]);
    }

    #[test]
    fn a_word_matches_in_any_case_with_trailing_digits() {
        for candidate in ["token", "TOKEN", "Token12", "to\u{212a}en"] {
            assert!(matches_word("token", candidate), "{candidate}");
        }
        for candidate in ["toke", "tokens", "token1s", "tokené", "to\u{212a}ens"] {
            assert!(!matches_word("token", candidate), "{candidate}");
        }
        assert!(matches_word("ключ", "КЛЮЧ7") && !matches_word("ключ", "ключи"));
    }
}
