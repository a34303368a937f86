//! The strings of an object, to recognize what its other values are. The object may be cut.

use crate::strings::scan_string;
use crate::vocabulary::NAMES;

/// A string of an object, without its quotes.
enum Item<'a> {
    Key(&'a [u8]),
    /// A value, or an item of a value that is an array.
    Value(&'a [u8]),
}

/// The keys of the object that starts here.
pub(crate) fn keys_in(object: &[u8]) -> impl Iterator<Item = &[u8]> {
    items(object).filter_map(|item| match item {
        Item::Key(key) => Some(key),
        Item::Value(_) => None,
    })
}

/// The strings under the keys that name another value: `{"name": "DB_PASSWORD", …}`, `{"loc": ["body", "pin"], …}`.
pub(crate) fn names_in(object: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut is_name = false;
    items(object).filter_map(move |item| match item {
        Item::Key(key) => {
            is_name = NAMES.iter().any(|name| name.as_bytes() == key);
            None
        }
        Item::Value(value) => is_name.then_some(value),
    })
}

fn items(object: &[u8]) -> impl Iterator<Item = Item<'_>> {
    let mut at = 0;
    let mut depth = 0_usize;
    let mut expects_key = false;
    std::iter::from_fn(move || {
        while let Some(byte) = object.get(at) {
            match byte {
                b'"' => {
                    let end = scan_string(object, at).ok().flatten()?.end;
                    let string = &object[at + 1..end - 1];
                    at = end;
                    if depth == 1 && std::mem::take(&mut expects_key) {
                        return Some(Item::Key(string));
                    }
                    if depth <= 2 {
                        return Some(Item::Value(string));
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            expects_key |= depth == 1 && matches!(byte, b'{' | b',');
            if depth == 0 {
                return None;
            }
            at += 1;
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'a>(found: impl Iterator<Item = &'a [u8]>) -> Vec<&'a str> {
        found.map(|text| std::str::from_utf8(text).expect("is text")).collect()
    }

    #[test]
    fn only_the_keys_of_the_object_itself_are_returned() {
        let object = br#"{"a": "b", "c": {"d": 1}, "e": [{"f": 2}]} {"g": 3}"#;
        assert_eq!(texts(keys_in(object)), ["a", "c", "e"]);
        assert_eq!(texts(keys_in(br#"{"a":1,"b"#)), ["a"]);
    }

    #[test]
    fn the_names_of_other_values_are_returned() {
        let object = br#"{"name": "a", "value": "name", "key":"d", "x": "y"} {"name":"e"}"#;
        assert_eq!(texts(names_in(object)), ["a", "d"]);
        assert_eq!(texts(names_in(br#"{"loc":["body","pin"],"x":["y"]}"#)), ["body", "pin"]);
        assert_eq!(texts(names_in(br#"{"value":1,"name":"cu"#)), [""; 0]);
    }
}
