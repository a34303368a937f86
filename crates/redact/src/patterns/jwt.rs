//! JSON Web Tokens.

use std::ops::Range;

use super::runs::{Alphabet, Runs};

/// Base64url parts separated by dots. Every header starts with `{"`, which is encoded as `eyJ`.
pub(super) fn jwt(text: &[u8], start: usize, partial: bool, runs: &mut Runs) -> Option<Range<usize>> {
    if !text[start..].starts_with(b"eyJ") {
        return None;
    }
    let end = runs.end(text, start, Alphabet::Dotted);
    (runs.last_dot > start || partial && end == text.len()).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use crate::patterns::{PatternFinder, Patterns};

    #[test]
    fn json_web_tokens_are_redacted() {
        let finder = PatternFinder::new(Patterns::default());
        let shown = |text: &str| finder.redact(text, false).into_owned();
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_x";
        assert_eq!(shown(&format!("t={token};")), "t=[redacted];");
        assert_eq!(shown("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."), "[redacted]");
        assert_eq!(shown("eyJhbGciOiJIUzI1NiJ9 and EYJ.x"), "eyJhbGciOiJIUzI1NiJ9 and EYJ.x");
        for end in 3..token.len() {
            assert_eq!(finder.redact(&token[..end], true), "[redacted]");
        }
    }
}
