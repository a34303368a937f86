//! Nothing that a client sends may forge a line, move a terminal's cursor, or speak to supervisord.

/// Whether a character is shown as an escape: it controls a terminal, ends a line, or turns the reading direction.
pub(super) fn is_hostile(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{feff}')
}

/// supervisord listens for this in what a child writes.
const SUPERVISOR_MARK: &str = "!--XSUPERVISOR";

/// Appends a text as a JSON string, its quotes included.
pub(super) fn json_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let short: Option<&[u8]> = match c {
            '"' => Some(b"\\\""),
            '\\' => Some(b"\\\\"),
            '\n' => Some(b"\\n"),
            '\r' => Some(b"\\r"),
            '\t' => Some(b"\\t"),
            '<' if text[at + 1..].starts_with(SUPERVISOR_MARK) => None,
            c if is_hostile(c) => None,
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[plain..at]);
        match short {
            Some(short) => out.extend_from_slice(short),
            None => out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes()),
        }
        plain = at + c.len_utf8();
    }
    out.extend_from_slice(&text.as_bytes()[plain..]);
    out.push(b'"');
}

/// Appends a value as JSON, its texts escaped like [`json_string`].
pub(super) fn json_value(value: &serde_json::Value, out: &mut Vec<u8>) {
    use serde_json::Value;
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
        plain => out.extend_from_slice(plain.to_string().as_bytes()),
    }
}

pub(super) fn json_object(map: &serde_json::Map<String, serde_json::Value>, out: &mut Vec<u8>) {
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

/// Appends a text for a terminal, hostile characters as visible escapes. Line ends of a `block` stay.
pub(super) fn visible(text: &str, block: bool, out: &mut String) {
    for (at, c) in text.char_indices() {
        let keep = block && matches!(c, '\n' | '\t');
        if c == '<' && text[at + 1..].starts_with(SUPERVISOR_MARK) || is_hostile(c) && !keep {
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
    fn a_json_string_reads_back_and_shows_nothing_hostile() {
        let mut out = Vec::new();
        json_string(HOSTILE, &mut out);
        let line = String::from_utf8(out).expect("stays UTF-8");
        assert_eq!(serde_json::from_str::<String>(&line).expect("is JSON"), HOSTILE);
        assert!(!line.chars().any(is_hostile) && !line.contains("<!--XSUPERVISOR"), "{line}");
    }

    #[test]
    fn a_terminal_sees_escapes() {
        let mut out = String::new();
        visible(HOSTILE, false, &mut out);
        assert!(!out.chars().any(is_hostile) && !out.contains("<!--XSUPERVISOR"), "{out}");
        assert!(out.contains("\\u{1b}[2J"), "{out}");
    }
}
