//! A rendered line of JSON as a list of keys and values, to rename or shorten them.

use std::borrow::Cow;

/// A key of a line and its value, both as in the line: the key without its quotes.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    pub key: Cow<'a, str>,
    pub value: Cow<'a, str>,
}

/// Splits the JSON object of a rendered line, which has no spaces between its tokens.
pub(super) fn split(line: &str) -> Vec<Entry<'_>> {
    let bytes = line.as_bytes();
    let mut entries = Vec::with_capacity(32);
    let mut at = 1;
    while bytes.get(at) == Some(&b'"') {
        let key_end = string_end(bytes, at);
        let value_end = value_end(bytes, key_end + 1);
        entries.push(Entry { key: line[at + 1..key_end - 1].into(), value: line[key_end + 1..value_end].into() });
        at = value_end + 1;
    }
    entries
}

/// The position after the closing quote of the string that begins at a position.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match bytes.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return bytes.len(),
        }
    }
}

/// The position after the value that begins at a position.
fn value_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut depth = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_into_its_keys_and_values() {
        let line = r#"{"a":"x,\"}\\","b\"":{"c":[1,{"d":"]"}]},"e":[],"f":-1.5,"g":null}"#;
        let entries = split(line);
        let shown: Vec<(&str, &str)> = entries.iter().map(|entry| (&*entry.key, &*entry.value)).collect();
        let expected =
            [("a", r#""x,\"}\\""#), (r#"b\""#, r#"{"c":[1,{"d":"]"}]}"#), ("e", "[]"), ("f", "-1.5"), ("g", "null")];
        assert_eq!(shown, expected);
        assert!(split("{}").is_empty());
    }
}
