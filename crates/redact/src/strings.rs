//! Scanning of JSON strings.

use std::borrow::Cow;

/// The document is malformed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ParseError;

/// The end of a string, including its quotes, and whether it contains escapes.
#[derive(Clone, Copy)]
pub(crate) struct StringSpan {
    pub end: usize,
    pub has_escapes: bool,
}

/// Scans the string that starts here; `None` if the input ends first.
#[inline(always)]
pub(crate) fn scan_string(text: &[u8], start: usize) -> Result<Option<StringSpan>, ParseError> {
    let at = skip_plain(text, start + 1);
    match text.get(at) {
        Some(b'"') => Ok(Some(StringSpan { end: at + 1, has_escapes: false })),
        _ => scan_string_with_escapes(text, at),
    }
}

/// Continues after the plain bytes at the start of the string.
#[inline(never)]
fn scan_string_with_escapes(text: &[u8], mut at: usize) -> Result<Option<StringSpan>, ParseError> {
    let mut has_escapes = false;
    loop {
        match text.get(at) {
            None => return Ok(None),
            Some(b'"') => return Ok(Some(StringSpan { end: at + 1, has_escapes })),
            Some(b'\\') => match text.get(at + 1) {
                None => return Ok(None),
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                Some(b'u') if text[at + 2..].iter().take(4).all(u8::is_ascii_hexdigit) => at += 6,
                Some(_) => return Err(ParseError),
            },
            Some(_) => return Err(ParseError),
        }
        has_escapes = true;
        at = skip_plain(text, at);
    }
}

/// The value of a string, or of the prefix of one that is truncated.
#[inline]
pub(crate) fn unescape(raw: &[u8], truncated: bool, has_escapes: bool) -> Result<Cow<'_, str>, ParseError> {
    if has_escapes {
        let closed = if truncated { Cow::Owned([raw, b"\""].concat()) } else { Cow::Borrowed(raw) };
        return serde_json::from_slice(&closed).map(Cow::Owned).map_err(|_| ParseError);
    }
    let end = if truncated { raw.len() } else { raw.len() - 1 };
    std::str::from_utf8(&raw[1..end]).map(Cow::Borrowed).map_err(|_| ParseError)
}

/// A prefix of a string of about `room` bytes that ends on a character and escape boundary.
#[inline]
pub(crate) fn prefix(raw: &[u8], room: usize) -> &[u8] {
    if raw.len() <= room.saturating_add(16) {
        return raw;
    }
    let is_unit = |at: usize| raw[at] == b'\\' && raw[at + 1] == b'u';
    let mut at = 1;
    while at < room {
        at += if is_unit(at) { 6 } else { 1 + usize::from(raw[at] == b'\\') };
    }
    // Do not split a surrogate pair.
    if is_unit(at) {
        at += 6;
    }
    while raw[at] & 0xc0 == 0x80 {
        at += 1;
    }
    &raw[..at]
}

/// The position of the next quote, backslash or control character, or the end of the text.
fn skip_plain(text: &[u8], mut at: usize) -> usize {
    // Eight bytes at a time (SWAR): subtracting the limit sets the highest bit of each byte below it, and may set it in
    // bytes above that one, which does not matter since only the lowest is used.
    const LOW: u64 = u64::MAX / 0xff;
    const HIGH: u64 = LOW << 7;
    let below = |word: u64, limit: u8| word.wrapping_sub(LOW * u64::from(limit)) & !word & HIGH;
    let mut rest = text.get(at..).unwrap_or_default();
    while let Some(bytes) = rest.first_chunk() {
        let word = u64::from_le_bytes(*bytes);
        let quotes = below(word ^ (LOW * u64::from(b'"')), 1);
        let backslashes = below(word ^ (LOW * u64::from(b'\\')), 1);
        let others = quotes | backslashes | below(word, b' ');
        if others != 0 {
            return at + (others.trailing_zeros() / 8) as usize;
        }
        at += bytes.len();
        rest = &rest[bytes.len()..];
    }
    let is_other = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    rest.iter().position(is_other).map_or(text.len(), |length| at + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_at_its_quote_escape_or_control_character() {
        for length in 0..40 {
            for plain in ["p", " ", "!", "#", "[", "]", "\u{7f}", "\u{a2}", "\u{dc}", "\u{3fff}"] {
                let before = plain.repeat(length);
                for end in ["\"", "\\", "\n", "\0", "\x1f"] {
                    let text = format!("{before}{end}{end}{plain}\"\0\\");
                    for from in 0..=length {
                        assert_eq!(skip_plain(text.as_bytes(), from), before.len(), "{text:?}");
                    }
                }
                assert_eq!(skip_plain(before.as_bytes(), 0), before.len());
            }
        }
    }
}
