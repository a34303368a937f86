//! Names that an object gives to its values.

use crate::strings::scan_string;
use crate::vocabulary::NAMES;

/// The strings, without their quotes, under the keys of the object that starts here which name another value:
/// `{"name": "DB_PASSWORD", …}`, `{"loc": ["body", "password"], …}`. The object may be cut.
pub(crate) fn names_in(object: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    let mut depth = 0_usize;
    // Whether the next string is a key, and whether the last key was one of a name.
    let mut is_key = false;
    let mut is_name = false;
    std::iter::from_fn(move || {
        while let Some(byte) = object.get(at) {
            match byte {
                b'"' => {
                    let end = scan_string(object, at).ok().flatten()?.end;
                    let string = &object[at + 1..end - 1];
                    at = end;
                    if depth == 1 && is_key {
                        is_key = false;
                        is_name = NAMES.iter().any(|name| name.as_bytes() == string);
                    } else if is_name && depth <= 2 {
                        return Some(string);
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b',' if depth == 1 => is_name = false,
                _ => {}
            }
            is_key |= depth == 1 && matches!(byte, b'{' | b',');
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

    #[test]
    fn only_the_names_of_the_object_are_returned() {
        let names = |object: &'static str| -> Vec<&str> {
            names_in(object.as_bytes()).map(|name| std::str::from_utf8(name).expect("is text")).collect()
        };
        assert_eq!(names(r#"{"name": "a", "b": {"name": "c"}, "value": "name", "key":"d"} {"name":"e"}"#), ["a", "d"]);
        assert_eq!(names(r#"{"loc":["body","pin"],"x":["y"]}"#), ["body", "pin"]);
        assert_eq!(names(r#"{"value":1,"name":"cu"#), [""; 0]);
    }
}
