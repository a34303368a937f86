//! Escaping of text for JSON or a terminal, so that text from a client cannot forge a line, move the cursor, or start a
//! supervisord event.

use std::io::Write;

use serde_json::{Map, Value};

use crate::hostile::{has_supervisor_mark, is_plain};
#[cfg(target_arch = "x86_64")]
use crate::{avx2, escape_avx2};

pub use crate::hostile::is_hostile;

/// The number of bytes tested at a time, and copied if none of them needs escaping.
const CHUNK_LEN: usize = 32;
/// The number of bytes escaped before the fast test is tried again.
const BLOCK_LEN: usize = 128;

/// The encoding of each byte: up to two bytes, and their length in bits. With the length [`INSPECT`], the character
/// that starts with the byte needs inspection: it may be hostile, or start supervisord's mark.
const ENCODED: [u32; 256] = {
    let mut shown = [0; 256];
    let mut byte = 0;
    while byte < shown.len() {
        let itself = byte as u8;
        let (first, second, bits) = match itself {
            b'"' | b'\\' => (b'\\', itself, 16),
            b'\n' => (b'\\', b'n', 16),
            b'\r' => (b'\\', b'r', 16),
            b'\t' => (b'\\', b't', 16),
            _ if is_plain(itself) => (itself, 0, 8),
            _ => (0, 0, INSPECT),
        };
        shown[byte] = u32::from_le_bytes([first, second, bits, 0]);
        byte += 1;
    }
    shown
};

/// More than the length of four encoded bytes.
const INSPECT: u8 = 65;

/// Appends a text as a JSON string, including its quotes.
pub fn json_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    json_text(text, out);
    out.push(b'"');
}

/// Appends a text as the content of a JSON string, without quotes.
pub fn json_text(text: &str, out: &mut Vec<u8>) {
    // Fast path: most texts of a line are keys and names.
    if text.len() <= CHUNK_LEN && text.bytes().all(|byte| ENCODED[usize::from(byte)] >> 16 == 8) {
        out.extend_from_slice(text.as_bytes());
    } else {
        json_characters(text, out);
    }
}

fn json_characters(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    // JSON in a string has a quote every few bytes.
    out.reserve(bytes.len() + bytes.len() / 4 + 2);
    let mut shown = [0; 2 * BLOCK_LEN];
    let mut at = 0;
    while at < bytes.len() {
        let plain = plain_chunks(&bytes[at..]);
        out.extend_from_slice(&bytes[at..at + plain]);
        at += plain;
        let block = &bytes[at..bytes.len().min(at + BLOCK_LEN)];
        let (done, length) = escape(block, &mut shown);
        out.extend_from_slice(&shown[..length]);
        at += done;
        if done < block.len() {
            at += json_character(&text[at..], out);
        }
    }
}

/// The total length of the leading chunks that need no escaping.
fn plain_chunks(text: &[u8]) -> usize {
    let (chunks, _) = text.as_chunks::<CHUNK_LEN>();
    let is_plain_chunk = |chunk: &&[u8; CHUNK_LEN]| chunk.iter().fold(true, |all, byte| all & is_plain(*byte));
    chunks.iter().take_while(is_plain_chunk).count() * CHUNK_LEN
}

/// Encodes bytes up to the first one that needs inspection. Returns the number of bytes read and the length of the
/// result.
fn escape(block: &[u8], shown: &mut [u8; 2 * BLOCK_LEN]) -> (usize, usize) {
    let mut length = 0;
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if avx2::is_available() {
        // SAFETY: `is_available` checked the target features.
        #[expect(unsafe_code, reason = "escaping 32 bytes at a time takes less than half the time")]
        let escaped = unsafe { escape_avx2::escape(block, shown) };
        (done, length) = escaped;
    }
    // Four bytes are combined into one write, which is faster than one or two at a time.
    for four in block[done..].as_chunks::<4>().0 {
        let mut bytes = 0;
        let mut bits = 0;
        for byte in four {
            let next = ENCODED[usize::from(*byte)];
            bytes |= u64::from(next as u16).wrapping_shl(bits);
            bits += next >> 16;
        }
        if bits >= u32::from(INSPECT) {
            break;
        }
        shown[length..length + 8].copy_from_slice(&bytes.to_le_bytes());
        length += bits as usize / 8;
        done += four.len();
    }
    for byte in &block[done..] {
        let next = ENCODED[usize::from(*byte)];
        if next >> 16 == u32::from(INSPECT) {
            break;
        }
        shown[length..length + 2].copy_from_slice(&(next as u16).to_le_bytes());
        length += (next >> 16) as usize / 8;
        done += 1;
    }
    (done, length)
}

/// Appends the first character of a text, escaped if it is hostile, and returns its length in the text.
fn json_character(text: &str, out: &mut Vec<u8>) -> usize {
    let Some(c) = text.chars().next() else { return 0 };
    if is_hostile(c) || has_supervisor_mark(text) {
        let code = u32::from(c);
        let digit = |shift: u32| hex_digit(code >> shift);
        out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
    } else {
        out.extend_from_slice(&text.as_bytes()[..c.len_utf8()]);
    }
    c.len_utf8()
}

/// Appends a value as JSON with its strings escaped by [`json_string`].
pub fn json_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => json_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                json_value(item, out);
            }
            out.push(b']');
        }
        Value::Object(map) => json_object(map, out),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Null => out.extend_from_slice(b"null"),
        Value::Number(number) => write!(out, "{number}").expect("a number can be written into memory"),
    }
}

/// Appends an object as JSON with its strings escaped by [`json_string`].
pub fn json_object(map: &Map<String, Value>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (key, value)) in map.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json_string(key, out);
        out.push(b':');
        json_value(value, out);
    }
    out.push(b'}');
}

/// Replaces each character of JSON text that is not ASCII with `\uXXXX`, a surrogate pair above U+FFFF. Such characters occur
/// only in strings, so the text keeps its meaning.
pub fn to_ascii(json: &mut String) {
    if json.is_ascii() {
        return;
    }
    let mut ascii = String::with_capacity(json.len() * 2);
    for c in json.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write_unit(*unit, &mut ascii);
            }
        }
    }
    *json = ascii;
}

fn write_unit(unit: u16, out: &mut String) {
    out.push_str("\\u");
    out.extend([12, 8, 4, 0].map(|shift| char::from(hex_digit(u32::from(unit) >> shift))));
}

fn hex_digit(value: u32) -> u8 {
    b"0123456789abcdef"[(value & 0xf) as usize]
}

/// The number of bytes that [`json_text`] needs for a character in any context; with `ascii`, after [`to_ascii`].
#[must_use]
pub fn max_json_len(c: char, ascii: bool) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        // It may start supervisord's mark.
        '<' => 6,
        _ if is_hostile(c) => 6,
        _ if ascii && !c.is_ascii() => 6 * c.len_utf16(),
        _ => c.len_utf8(),
    }
}

/// Appends a text for a terminal, with hostile characters as visible escapes. With `multiline`, line feeds and tabs are
/// unchanged.
pub fn visible(text: &str, multiline: bool, out: &mut String) {
    for (at, c) in text.char_indices() {
        let is_unchanged = multiline && matches!(c, '\n' | '\t');
        if c == '<' && has_supervisor_mark(&text[at..]) || is_hostile(c) && !is_unchanged {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\"\\\n\r\t\0\x1b[2J\x7f\u{9b}\u{2028}\u{202e}<!--XSUPERVISOR:BEGIN-->é";

    #[test]
    fn a_json_string_parses_back_without_hostile_characters() {
        let mut out = Vec::new();
        json_string(HOSTILE, &mut out);
        let line = String::from_utf8(out).expect("stays UTF-8");
        assert_eq!(serde_json::from_str::<String>(&line).expect("is JSON"), HOSTILE);
        assert!(!line.chars().any(is_hostile) && !line.contains("<!--XSUPERVISOR"), "{line}");
    }

    /// The expected encoding, a character at a time.
    fn expected(text: &str) -> String {
        let mut shown = String::from("\"");
        for (at, c) in text.char_indices() {
            match c {
                '"' | '\\' => shown.extend(['\\', c]),
                '\n' => shown.push_str("\\n"),
                '\r' => shown.push_str("\\r"),
                '\t' => shown.push_str("\\t"),
                _ if is_hostile(c) || text[at..].starts_with("<!--XSUPERVISOR") => {
                    shown.push_str(&format!("\\u{:04x}", u32::from(c)));
                }
                c => shown.push(c),
            }
        }
        shown + "\""
    }

    fn assert_expected(text: &str) {
        let mut out = b"before ".to_vec();
        json_string(text, &mut out);
        assert_eq!(String::from_utf8(out).expect("stays UTF-8"), format!("before {}", expected(text)));
    }

    #[test]
    fn each_character_is_encoded_as_expected() {
        for c in '\0'..=char::MAX {
            if u32::from(c) < 0x1_0000 || u32::from(c).is_multiple_of(0x1001) {
                assert_expected(c.encode_utf8(&mut [0; 4]));
            }
        }
    }

    #[test]
    fn encoding_does_not_depend_on_the_position() {
        for hostile in [HOSTILE, "\"", "é\u{2028}", "<!--XSUPERVISOR", "<!--", "\u{85}", "“”", "青", "😀"] {
            for before in 0..=BLOCK_LEN + CHUNK_LEN {
                let plain = "p".repeat(before);
                assert_expected(&format!("{plain}{hostile}"));
                assert_expected(&format!("{plain}{hostile}{plain}{hostile}"));
            }
        }
    }

    #[test]
    fn ascii_output_parses_back() {
        let mut out = Vec::new();
        json_string(&format!("{HOSTILE} “青😀”"), &mut out);
        let mut line = String::from_utf8(out).expect("stays UTF-8");
        to_ascii(&mut line);
        assert!(line.is_ascii() && line.ends_with(r#" \u201c\u9752\ud83d\ude00\u201d""#), "{line}");
        assert_eq!(serde_json::from_str::<String>(&line).expect("is JSON"), format!("{HOSTILE} “青😀”"));
    }

    #[test]
    fn no_character_needs_more_than_its_maximum_length() {
        for c in '\0'..=char::MAX {
            let mut out = Vec::new();
            json_text(c.encode_utf8(&mut [0; 4]), &mut out);
            let mut text = String::from_utf8(out).expect("stays UTF-8");
            assert!(text.len() <= max_json_len(c, false), "{c:?}");
            to_ascii(&mut text);
            assert!(text.len() <= max_json_len(c, true), "{c:?}");
        }
    }

    #[test]
    fn terminal_output_has_visible_escapes() {
        let mut out = String::new();
        visible(HOSTILE, false, &mut out);
        assert!(!out.chars().any(is_hostile) && !out.contains("<!--XSUPERVISOR"), "{out}");
        assert!(out.contains("\\u{1b}[2J"), "{out}");
    }
}
