//! Tokens of Telegram bots: the bot's number, a colon, and 35 characters that start with `AA`.

use std::ops::Range;

use super::runs::{Alphabet, Runs};

/// The beginning of the secret part, from the colon.
pub(super) const MARK: &str = ":AA";
const SECRET_LENGTH: usize = 35;
const DIGITS: Range<usize> = 8..11;

/// The token whose colon is here. At the end of a `partial` text, the beginning of a token counts as one.
pub(super) fn telegram(text: &[u8], colon: usize, partial: bool, runs: &mut Runs) -> Option<Range<usize>> {
    let start = number_before(text, colon)?;
    if !text[colon..].starts_with(MARK.as_bytes()) {
        return None;
    }
    let end = runs.end(text, colon + 1, Alphabet::Url);
    let length = end - colon - 1;
    let is_cut = partial && end == text.len() && length < SECRET_LENGTH;
    (is_cut || length == SECRET_LENGTH).then_some(start..end)
}

/// The start of the bot's number that ends before this colon.
pub(crate) fn number_before(text: &[u8], colon: usize) -> Option<usize> {
    let digits = text[..colon].iter().rev().take(DIGITS.end).take_while(|byte| byte.is_ascii_digit()).count();
    DIGITS.contains(&digits).then_some(colon - digits)
}

#[cfg(test)]
mod tests {
    use crate::patterns::{PatternFinder, Patterns};

    #[test]
    fn telegram_tokens_are_redacted() {
        let finder = PatternFinder::new(Patterns::default());
        let token = concat!("123456789:", "AAF0aZ-_9xYwVuTsRqPoNmLkJiHgFeDcBa1");
        assert_eq!(finder.redact(&format!("/bot{token}/getMe"), false), "/bot[redacted]/getMe");
        for end in 13..token.len() {
            assert_eq!(finder.redact(&token[..end], true), "[redacted]", "{end}");
        }
        for other in [&token[3..], &format!("{token}x"), &token[..40], "01:AA:02", &format!("12{token}")] {
            assert_eq!(finder.redact(other, false), *other);
        }
    }
}
