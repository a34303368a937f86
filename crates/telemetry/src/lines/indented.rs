//! JSON with indentation, token by token: numbers, duplicate keys and escapes stay as they were sent, and the text may be cut
//! or invalid.

const INDENT: &str = "  ";
/// Deeper levels are not indented further: each line of a deeply nested body would be longer than the body.
const MAX_INDENTED_DEPTH: usize = 16;

/// What precedes a token.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    /// Nothing, or a colon: the token continues the line.
    Open,
    /// An opening bracket or a comma: the token begins a line.
    NewLine,
    /// A string, a word or a closing bracket.
    Value,
}

/// Puts each member and element on a line of its own.
pub(super) fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut before = Before::Open;
    let mut rest = json.trim_start();
    while let Some(first) = rest.chars().next() {
        let token = &rest[..token_length(rest, first)];
        let after = rest[token.len()..].trim_start();
        match first {
            ',' | ':' => {
                out.push_str(if first == ',' { "," } else { ": " });
                before = if first == ',' { Before::NewLine } else { Before::Open };
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(first);
                before = Before::Value;
            }
            _ => {
                match before {
                    Before::Open => {}
                    Before::NewLine => line(&mut out, depth),
                    // Several documents, or invalid JSON.
                    Before::Value if depth == 0 => line(&mut out, depth),
                    Before::Value => out.push(' '),
                }
                out.push_str(token);
                before = Before::Value;
                if let Some(close) = closing(first) {
                    if let Some(empty) = after.strip_prefix(close) {
                        out.push(close);
                        rest = empty.trim_start();
                        continue;
                    }
                    depth += 1;
                    before = Before::NewLine;
                }
            }
        }
        rest = after;
    }
    out
}

fn line(out: &mut String, depth: usize) {
    if !out.is_empty() {
        out.push('\n');
    }
    (0..depth.min(MAX_INDENTED_DEPTH)).for_each(|_| out.push_str(INDENT));
}

fn closing(bracket: char) -> Option<char> {
    match bracket {
        '{' => Some('}'),
        '[' => Some(']'),
        _ => None,
    }
}

/// The length of the token at the beginning: a string with its quotes, a punctuation mark, or a word.
fn token_length(text: &str, first: char) -> usize {
    let is_mark = |c: char| matches!(c, '{' | '}' | '[' | ']' | ',' | ':');
    match first {
        '"' => string_length(text),
        mark if is_mark(mark) => 1,
        _ => text.find(|c: char| is_mark(c) || c == '"' || c.is_whitespace()).unwrap_or(text.len()),
    }
}

/// The length of a string with its quotes; of a cut one, to the end of the text.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_json_is_indented_as_serde_json_does() {
        for json in [
            r#"{"a":[1,-2.5,true,null],"b":{"c":"d, \"e\": {","f":[]},"g":{}}"#,
            "[ ]",
            " { } ",
            r#""text""#,
            "12",
            "[[1],[[2]]]",
            r#"{"a\\":"\\","b":"é😀"}"#,
        ] {
            let value: serde_json::Value = serde_json::from_str(json).expect("is JSON");
            assert_eq!(indented(json), serde_json::to_string_pretty(&value).expect("is JSON"), "{json}");
        }
    }

    #[test]
    fn numbers_and_duplicate_keys_stay_as_sent() {
        let json = r#"{"id":12345678901234567890123,"amount":1.10,"id":1E2}"#;
        assert_eq!(indented(json), "{\n  \"id\": 12345678901234567890123,\n  \"amount\": 1.10,\n  \"id\": 1E2\n}");
    }

    #[test]
    fn a_cut_document_is_indented_to_its_end() {
        assert_eq!(
            indented(r#"{"a":[{"b":1},{"c":"te"#),
            "{\n  \"a\": [\n    {\n      \"b\": 1\n    },\n    {\n      \"c\": \"te"
        );
        let json = r#"{"a":["b\"c",1.5,{"d":null}],"e":true}"#;
        for end in 0..=json.len() {
            let cut = &json[..end];
            let without_space = |text: &str| text.replace([' ', '\n'], "");
            assert_eq!(without_space(&indented(cut)), without_space(cut), "only white space is added");
        }
    }

    #[test]
    fn invalid_json_loses_nothing_but_white_space() {
        assert_eq!(indented(r#"{"password" "[redacted]"}"#), "{\n  \"password\" \"[redacted]\"\n}");
        assert_eq!(indented("{\"a\":1}\n{\"a\":2}\n"), "{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}");
        assert_eq!(indented("]}, NaN é"), "]\n},\nNaN\né");
    }

    #[test]
    fn deep_nesting_has_bounded_lines() {
        let longest = indented(&"[".repeat(8192)).lines().map(str::len).max();
        assert_eq!(longest, Some(MAX_INDENTED_DEPTH * INDENT.len() + 1));
    }
}
