//! The token after the word `Bearer`.

use std::ops::Range;

use super::runs::{Alphabet, Runs};
use crate::placeholder::REDACTED;
use crate::sentence::is_sentence;

/// The token after this word.
pub(super) fn bearer(text: &[u8], word: Range<usize>, runs: &mut Runs) -> Option<Range<usize>> {
    if text[..word.start].last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let between = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b':' | b'=' | b'"' | b'\'' | b'+');
    let gap = text[word.end..].iter().take_while(|byte| between(byte)).count();
    let start = word.end + gap;
    let end = runs.end(text, start, Alphabet::Bearer);
    (gap > 0 && end > start && !is_prose(&text[start..end], &text[end..])).then_some(start..end)
}

/// Whether this is a challenge, `Bearer realm="…"` (also one whose value is redacted), or a sentence: `Bearer authentication is required`.
fn is_prose(token: &[u8], after: &[u8]) -> bool {
    /// Longer than each word that begins a sentence.
    const MAX_LENGTH: usize = 40;
    /// The bytes that decide whether more words follow.
    const MAX_FOLLOWING: usize = 16;
    if token.len() > MAX_LENGTH {
        return false;
    }
    let is_challenge =
        token.last() == Some(&b'=') && (after.first() == Some(&b'"') || after.starts_with(REDACTED.as_bytes()));
    let after = String::from_utf8_lossy(&after[..after.len().min(MAX_FOLLOWING)]);
    is_challenge || std::str::from_utf8(token).is_ok_and(|word| is_sentence(word, &after))
}

#[cfg(test)]
mod tests {
    use crate::patterns::{PatternFinder, Patterns};

    #[test]
    fn bearer_tokens_are_redacted() {
        let finder = PatternFinder::new(Patterns::default());
        let shown = |text| finder.redact(text, false).into_owned();
        assert_eq!(shown("sent Bearer abc.def~g/h+== to it"), "sent Bearer [redacted] to it");
        assert_eq!(shown("sent as bearer xyz"), "sent as bearer [redacted]");
        assert_eq!(shown("BEARER:  \"x\""), "BEARER:  \"[redacted]\"");
        assert_eq!(shown("Bearer realm=\"api\""), "Bearer realm=\"api\"");
        assert_eq!(shown("Bearer realm=[redacted]"), "Bearer realm=[redacted]");
        assert_eq!(shown("bearer authentication is required"), "bearer authentication is required");
        assert_eq!(shown("send a bearer token in the header"), "send a bearer token in the header");
        assert_eq!(shown("the bearer, the forbearer x"), "the bearer, the forbearer x");
        assert_eq!(finder.redact("Bearer", true), "Bearer");
    }
}
