//! The end of a value in a text.

use std::ops::Range;

use crate::sentence::is_sentence;

/// Values that are data under any key.
const LITERALS: [&str; 8] = ["true", "false", "null", "None", "nil", "undefined", "NULL", "True"];

/// Schemes that precede a credential.
const SCHEMES: [&str; 9] =
    ["basic", "bearer", "digest", "token", "apikey", "negotiate", "ntlm", "oauth", "aws4-hmac-sha256"];

/// The value that starts here, without its quotes; `None` if there is none, or if it is prose or a literal.
pub(super) fn at(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = &text[start..];
    if let Some(range) = quoted(text, start) {
        return (!range.is_empty()).then_some(range);
    }
    let first = rest.chars().next()?;
    if let Some(close) = closing(first) {
        return Some(start..bracket_end(text, start, close));
    }
    let end = start + unquoted_length(rest);
    let value = &text[start..end];
    if LITERALS.contains(&value) || is_sentence(value, &text[end..]) {
        return None;
    }
    if SCHEMES.iter().any(|scheme| value.eq_ignore_ascii_case(scheme)) {
        let after = text[end..].trim_start_matches(' ');
        let credential = text.len() - after.len();
        // A digest and a signature have several parts.
        let several = value.len() > "negotiate".len() || value.eq_ignore_ascii_case("digest");
        let length = if several { line_length(after) } else { unquoted_length(after) };
        if credential > end && length > 0 {
            return Some(credential..credential + length);
        }
    }
    (end > start).then_some(start..end)
}

/// The range inside the quotes that start here; to the end of the text if they are not closed.
pub(super) fn quoted(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = &text[start..];
    // Prefixes of literals in Python and Rust: `b"…"`.
    let prefix =
        rest.bytes().take(2).take_while(|byte| matches!(byte, b'b' | b'r' | b'u' | b'f' | b'B' | b'R')).count();
    let rest = &rest[prefix..];
    let (open, close) = QUOTES.into_iter().find(|(open, _)| rest.starts_with(open))?;
    let from = start + prefix + open.len();
    let mut at = from;
    loop {
        let left = &text[at..];
        if left.starts_with(close) {
            // A doubled quote is a part of the value, as in SQL.
            let doubled = close.len() == 1 && at > from && left[1..].starts_with(close);
            if !doubled {
                return Some(from..at);
            }
            at += 2 * close.len();
            continue;
        }
        let mut chars = left.chars();
        match chars.next() {
            None => return Some(from..text.len()),
            // An escaped quote does not close a quote that is not escaped.
            Some('\\') if open.len() == 1 => at += 1 + chars.next().map_or(0, char::len_utf8),
            Some(c) => at += c.len_utf8(),
        }
    }
}

/// Quotes, the longer ones first.
const QUOTES: [(&str, &str); 10] = [
    ("\"\"\"", "\"\"\""),
    ("'''", "'''"),
    ("\\\"", "\\\""),
    ("\\'", "\\'"),
    ("\"", "\""),
    ("'", "'"),
    ("`", "`"),
    ("“", "”"),
    ("‘", "’"),
    ("«", "»"),
];

fn closing(open: char) -> Option<char> {
    match open {
        '(' => Some(')'),
        '[' => Some(']'),
        '{' => Some('}'),
        _ => None,
    }
}

/// The end of the brackets that start here, including the closing one; the end of the text if they are not closed.
fn bracket_end(text: &str, start: usize, close: char) -> usize {
    let mut open = vec![close];
    let mut at = start + 1;
    while at < text.len() {
        let c = text[at..].chars().next().unwrap_or(' ');
        if let Some(close) = closing(c) {
            open.push(close);
        } else if open.last() == Some(&c) {
            open.pop();
            if open.is_empty() {
                return at + c.len_utf8();
            }
        } else if c == '"' {
            match quoted(text, at) {
                Some(inside) if inside.end < text.len() => at = inside.end,
                _ => return text.len(),
            }
        }
        at += c.len_utf8();
    }
    text.len()
}

/// The length of an unquoted value: to white space, a separator, a tag or a closing bracket that it does not open.
fn unquoted_length(text: &str) -> usize {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        match c {
            ';' if continues(&text[at + 1..]) => at += 1,
            ',' | ';' | '&' | '<' | ')' | ']' | '}' => break,
            c if c.is_whitespace() => break,
            '"' | '\'' | '`' if ends_quote(&text[at + 1..]) => break,
            c => match closing(c) {
                Some(close) => at = bracket_end(text, at, close),
                None => at += c.len_utf8(),
            },
        }
    }
    // The backslash of an escaped quote is not a part of the value.
    if text[at..].starts_with(['"', '\'']) { text[..at].trim_end_matches('\\').len() } else { at }
}

/// Whether a value continues after a semicolon: neither a space nor another assignment follows.
fn continues(after: &str) -> bool {
    let next = after.split(|c: char| c.is_whitespace() || ",;&<>)]}\"'".contains(c)).next().unwrap_or_default();
    !next.is_empty() && !next.contains(['=', ':'])
}

/// Whether a quote that this text follows closes a text around the value.
fn ends_quote(after: &str) -> bool {
    after.chars().next().is_none_or(|c| c.is_whitespace() || ",;.:)]}<>&|\\/".contains(c))
}

/// The length of the rest of the line, without white space at its end.
pub(super) fn line_length(text: &str) -> usize {
    let line = text.find(['\r', '\n']).unwrap_or(text.len());
    text[..line].trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_where_its_form_says() {
        for (text, value) in [
            ("hunter2 next", Some("hunter2")),
            ("hunter2, next", Some("hunter2")),
            ("hunter2", Some("hunter2")),
            ("hunter2\")", Some("hunter2")),
            ("hun;ter2;user=a", Some("hun;ter2")),
            ("hunter2; a", Some("hunter2")),
            ("hun\"ter2 x", Some("hun\"ter2")),
            ("\"hun ter\\\"2\" x", Some("hun ter\\\"2")),
            ("'it''s' x", Some("it''s")),
            ("\"open", Some("open")),
            ("b'x y' z", Some("x y")),
            ("\\\"x y\\\" z", Some("x y")),
            ("“x y” z", Some("x y")),
            ("{\"a\":\"}\"} z", Some("{\"a\":\"}\"}")),
            ("[1, 2] z", Some("[1, 2]")),
            ("Some(\"a b\"), c", Some("Some(\"a b\")")),
            ("Basic abc d", Some("abc")),
            ("Digest a=\"b\", c=d", Some("a=\"b\", c=d")),
            ("<b>", None),
            ("", None),
            ("\"\"", None),
            ("null, x", None),
            ("true", None),
            ("must be longer", None),
            ("Invalid, try again", None),
            ("expired", Some("expired")),
            ("is,user=bob", Some("is")),
        ] {
            assert_eq!(at(text, 0).map(|range| &text[range]), value, "{text}");
        }
    }
}
