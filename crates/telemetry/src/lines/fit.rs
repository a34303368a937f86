//! Shortens JSON values to a number of bytes. The result is valid JSON.

use cyanotype_redact::escape::{json_value, to_ascii};
use serde_json::Value;

/// Any value can be shortened to this length: an empty container, a short string, or `null`.
const MIN_VALUE_BYTES: usize = 8;

/// Shortens the JSON text of a string, an array or an object to at most `max` bytes, at least two. In a container the longest
/// values are shortened first. Other values are returned unchanged. With `ascii`, the result is ASCII.
pub(super) fn fit(json: &str, max: usize, ascii: bool) -> String {
    match json.as_bytes().first() {
        Some(b'"') => shortened_string(json, max),
        Some(b'{' | b'[') => match serde_json::from_str(json) {
            Ok(value) => fit_value(&value, max, ascii),
            // Nested too deeply to be read.
            Err(_) => if json.starts_with('{') { "{}" } else { "[]" }.to_owned(),
        },
        _ => json.to_owned(),
    }
}

/// Shortens the JSON string of a stack trace, without splitting a frame: outermost frames, which are last, are removed.
pub(super) fn fit_stack(json: &str, max: usize) -> String {
    let text = json.trim_matches('"');
    let mut end = 0;
    for (at, _) in text.match_indices("\\n") {
        let next = at + "\\n".len();
        if next > max.saturating_sub(2) {
            break;
        }
        // A frame's second line is its location.
        if !text[next..].starts_with("      at ") {
            end = next;
        }
    }
    format!("\"{}\"", &text[..end])
}

/// Shortens a JSON string, at the boundary of a character.
fn shortened_string(json: &str, max: usize) -> String {
    let text = &json[1..json.len() - 1];
    let max = max.saturating_sub(2);
    let mut end = 0;
    while let Some(length) = char_len(&text[end..]).filter(|length| end + length <= max) {
        end += length;
    }
    format!("\"{}\"", &text[..end])
}

/// The length of the first character of a JSON string's content, which may be an escape or a pair of them.
fn char_len(text: &str) -> Option<usize> {
    const UNIT_LEN: usize = r"\u0000".len();
    let c = text.chars().next()?;
    if c != '\\' {
        return Some(c.len_utf8());
    }
    let is_unit = text[1..].starts_with('u');
    let is_surrogate = |unit: &str| unit.get(2..3).is_some_and(|digit| digit.eq_ignore_ascii_case("d"));
    let is_high = |unit: &str| is_surrogate(unit) && unit.get(3..4).is_some_and(|digit| "89abAB".contains(digit));
    Some(if !is_unit {
        2
    } else if is_high(text) {
        2 * UNIT_LEN
    } else {
        UNIT_LEN
    })
}

fn render(value: &Value, ascii: bool) -> String {
    let mut out = Vec::new();
    json_value(value, &mut out);
    let mut text = String::from_utf8(out).expect("a JSON value is written as UTF-8");
    if ascii {
        to_ascii(&mut text);
    }
    text
}

fn fit_value(value: &Value, max: usize, ascii: bool) -> String {
    let json = render(value, ascii);
    if json.len() <= max {
        return json;
    }
    match value {
        Value::String(_) => shortened_string(&json, max),
        Value::Array(items) => {
            let mut children: Vec<Child<'_>> = items.iter().map(|item| Child::new("", item, ascii)).collect();
            while !children.is_empty() && min_len(&children) > max {
                children.pop();
            }
            format!("[{}]", join(&children, max, ascii))
        }
        Value::Object(map) => {
            let entry = |(key, value): (&String, _)| {
                let key = render(&Value::from(key.as_str()), ascii);
                Child::new(&format!("{key}:"), value, ascii)
            };
            let mut children: Vec<Child<'_>> = map.iter().map(entry).collect();
            while min_len(&children) > max {
                let largest = (0..children.len()).max_by_key(|at| children[*at].key.len() + children[*at].len);
                match largest {
                    Some(at) => children.remove(at),
                    None => break,
                };
            }
            format!("{{{}}}", join(&children, max, ascii))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => "null".to_owned(),
    }
}

/// A value in a container.
struct Child<'a> {
    /// Its key and a colon; empty in an array.
    key: String,
    value: &'a Value,
    /// The length of the value.
    len: usize,
}

impl<'a> Child<'a> {
    fn new(key: &str, value: &'a Value, ascii: bool) -> Self {
        Self { key: key.to_owned(), value, len: render(value, ascii).len() }
    }
}

/// The length of a container's brackets, commas and keys.
fn structure_len(children: &[Child<'_>]) -> usize {
    2 + children.len().saturating_sub(1) + children.iter().map(|child| child.key.len()).sum::<usize>()
}

/// The smallest length to which a container with these children can be shortened.
fn min_len(children: &[Child<'_>]) -> usize {
    structure_len(children) + children.iter().map(|child| child.len.min(MIN_VALUE_BYTES)).sum::<usize>()
}

/// The content of a container, with its longest values shortened to a common length.
fn join(children: &[Child<'_>], max: usize, ascii: bool) -> String {
    let max_child = max_length(children.iter().map(|child| child.len), max.saturating_sub(structure_len(children)));
    let shown = children.iter().map(|child| format!("{}{}", child.key, fit_value(child.value, max_child, ascii)));
    shown.collect::<Vec<_>>().join(",")
}

/// The largest maximum length with which values of these lengths fit in a number of bytes.
fn max_length(lengths: impl Iterator<Item = usize>, mut available: usize) -> usize {
    let mut lengths: Vec<usize> = lengths.collect();
    lengths.sort_unstable();
    let count = lengths.len();
    for (at, length) in lengths.into_iter().enumerate() {
        let share = available / (count - at);
        if length > share {
            return share;
        }
        available -= length;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let text = || "[a\"\\\\\u{1}\u{85}é青😀\u{2028}]{0,40}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::vec((text(), inner), 0..6)
                    .prop_map(|entries| entries.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_shortened_value_fits_and_is_json(value in value(), max in 2_usize..400, ascii: bool) {
            let json = render(&value, ascii);
            let short = fit(&json, max, ascii);
            let parsed = serde_json::from_str::<Value>(&short);
            prop_assert!(parsed.is_ok(), "{short}");
            prop_assert!(!ascii || short.is_ascii());
            if json.len() <= max {
                prop_assert_eq!(short, json);
            } else if json.starts_with(['"', '[', '{']) {
                prop_assert!(short.len() <= max, "{} > {max}: {short}", short.len());
                // Nothing is shortened more than necessary: the value's kind is unchanged.
                prop_assert_eq!(short.chars().next(), json.chars().next());
            }
        }
    }

    #[test]
    fn a_string_is_cut_between_characters() {
        let json = r#""aé\n\u0001\ud83d\ude00😀""#;
        for (max, expected) in [
            (2, r#""""#),
            (4, r#""a""#),
            (5, r#""aé""#),
            (6, r#""aé""#),
            (7, r#""aé\n""#),
            (13, r#""aé\n\u0001""#),
            (24, r#""aé\n\u0001""#),
            (25, r#""aé\n\u0001\ud83d\ude00""#),
            (28, r#""aé\n\u0001\ud83d\ude00""#),
            (29, json),
        ] {
            assert_eq!(fit(json, max, false), expected, "{max}");
        }
    }

    #[test]
    fn the_longest_values_are_shortened_first() {
        let value = json!({"id": 7, "long": "x".repeat(100), "name": "short", "list": ["y".repeat(90), 1]}).to_string();
        let short: Value = serde_json::from_str(&fit(&value, 150, false)).expect("JSON");
        assert_eq!((&short["id"], &short["name"]), (&json!(7), &json!("short")));
        let lengths = [&short["long"], &short["list"][0]].map(|text| text.as_str().map_or(0, str::len));
        assert!(lengths.iter().all(|length| (40..60).contains(length)), "{short}");
    }

    #[test]
    fn a_stack_is_cut_between_frames() {
        let json = r#""   0: one\n      at a.rs:1\n   1: two\n      at b.rs:2\n""#;
        assert_eq!(fit_stack(json, json.len()), json);
        for max in [31, 40, json.len() - 1] {
            assert_eq!(fit_stack(json, max), r#""   0: one\n      at a.rs:1\n""#, "{max}");
        }
        assert_eq!(fit_stack(json, 20), r#""""#);
    }
}
