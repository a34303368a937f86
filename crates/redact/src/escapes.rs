//! Decoding of percent and backslash escapes.

use std::borrow::Cow;

use crate::byte_class::{ESCAPE, byte_classes};

/// The text, then the text decoded once, twice and three times, as long as there are escapes.
pub(crate) fn decodings(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    const MAX_DECODINGS: usize = 3;
    let next = |text: &Cow<'_, str>| decoded(text).map(Cow::Owned);
    std::iter::successors(Some(Cow::Borrowed(text)), next).take(1 + MAX_DECODINGS)
}

/// The text with percent and backslash escapes decoded, if it has any.
fn decoded(text: &str) -> Option<String> {
    if byte_classes(text.as_bytes()) & ESCAPE == 0 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let mut any = false;
    while !rest.is_empty() {
        match escape(rest) {
            Some((c, length)) => {
                match c {
                    Escaped::Byte(byte) => bytes.push(byte),
                    Escaped::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                }
                rest = &rest[length..];
                any = true;
            }
            None => {
                bytes.push(rest[0]);
                rest = &rest[1..];
            }
        }
    }
    any.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

enum Escaped {
    Byte(u8),
    Char(char),
}

/// The value and the length of the escape at the start of a text.
fn escape(text: &[u8]) -> Option<(Escaped, usize)> {
    let digits = |from: usize, count: usize| {
        let hex = text.get(from..from + count).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit))?;
        u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
    };
    let byte = |from: usize| digits(from, 2).and_then(|code| u8::try_from(code).ok()).map(Escaped::Byte);
    match text {
        [b'%', ..] => byte(1).map(|byte| (byte, 3)),
        [b'\\', b'x', ..] => byte(2).map(|byte| (byte, 4)),
        [b'\\', b'u', ..] => digits(2, 4).map(|code| (Escaped::Char(char::from_u32(code).unwrap_or(' ')), 6)),
        [b'\\', b'n', ..] => Some((Escaped::Byte(b'\n'), 2)),
        [b'\\', b't', ..] => Some((Escaped::Byte(b'\t'), 2)),
        [b'\\', b'r', ..] => Some((Escaped::Byte(b'\r'), 2)),
        [b'\\', b'b', ..] => Some((Escaped::Byte(0x8), 2)),
        [b'\\', b'f', ..] => Some((Escaped::Byte(0xc), 2)),
        [b'\\', c @ (b'"' | b'\'' | b'\\' | b'/'), ..] => Some((Escaped::Byte(*c), 2)),
        _ => None,
    }
}
