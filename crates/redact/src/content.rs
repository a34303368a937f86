//! The recorded content of a body, borrowed from it where nothing is redacted.

use std::borrow::Cow;

/// Redacted content that may be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content<'a> {
    /// The text, with [`REDACTED`](crate::REDACTED) in place of secrets.
    pub text: Cow<'a, str>,
    /// Whether the text was cut to the limit.
    pub truncated: bool,
}

#[cfg(test)]
impl Content<'_> {
    pub(crate) fn into_owned(self) -> Content<'static> {
        Content { text: Cow::Owned(self.text.into_owned()), truncated: self.truncated }
    }
}

/// Whether a client may decode this as UTF-16, in which a zero byte separates the letters of a key.
pub(crate) fn is_utf16(text: &[u8]) -> bool {
    // The chunks let the compiler vectorize the search. Text in UTF-8 rarely contains a zero byte.
    let any_zero = text.chunks(64).any(|chunk| chunk.iter().fold(false, |any, byte| any | (*byte == 0)));
    let is_pair =
        |pair: &[u8]| matches!(pair, [a, 0, b, 0] | [0, a, 0, b] if a.is_ascii_graphic() && b.is_ascii_graphic());
    text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") || any_zero && text.windows(4).any(is_pair)
}

pub(crate) fn cut(text: Cow<'_, str>, limit: usize) -> Content<'_> {
    let end = text.floor_char_boundary(limit);
    let truncated = end < text.len();
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    };
    Content { text, truncated }
}

/// Bytes as text, of which at most `limit` bytes are shown.
pub(crate) fn readable(bytes: &[u8], limit: usize) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        // The invalid bytes, such as a truncated character, are beyond the limit.
        Err(error) if error.valid_up_to() > limit => String::from_utf8_lossy(&bytes[..error.valid_up_to()]),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

pub(crate) fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Redactor, Syntax};

    #[test]
    fn a_clean_body_is_not_copied() {
        let euros = format!("{{\"shipping\":\"{}\"}}", "€".repeat(200));
        for limit in 0..100 {
            let content = Redactor::default().content(euros.as_bytes(), Syntax::Json, limit, true);
            assert!(matches!(content.text, Cow::Borrowed(_)) && content.truncated, "{limit}");
            assert_eq!(content.text, euros[..euros.floor_char_boundary(limit)]);
        }
    }

    #[test]
    fn invalid_utf8_is_replaced_in_the_shown_part() {
        for (limit, text) in [(2, "ab"), (4, "ab"), (5, "ab\u{fffd}"), (6, "ab\u{fffd}c"), (9, "ab\u{fffd}cd")] {
            let content = Redactor::default().content(b"ab\xffcd", Syntax::Text, limit, true);
            assert_eq!(content, Content { text: text.into(), truncated: limit < 7 });
        }
    }
}
