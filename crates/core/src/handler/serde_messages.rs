//! Rewrites serde's error messages in terms of JSON, without values that the client sent and without names of Rust types.

/// Rewrites one message.
pub(crate) fn rewrite(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("invalid type: ") {
        return expected(rest).map_or_else(
            || "is of the wrong type".into(),
            |expected_type| format!("expected {expected_type}, got {}", found_type(rest)),
        );
    }
    if message.starts_with("missing field") || message.starts_with("duplicate field") {
        return message.to_owned();
    }
    if message.starts_with("unknown field") || message.starts_with("unknown variant") {
        let kind = if message.starts_with("unknown field") { "unknown field" } else { "unknown value" };
        return expected(message)
            .map_or_else(|| kind.into(), |expected_type| format!("{kind}; expected {expected_type}"));
    }
    if message.starts_with("invalid value") || message.starts_with("invalid length") {
        return expected(message)
            .map_or_else(|| "is not a valid value".into(), |expected_type| format!("expected {expected_type}"));
    }
    "is not a valid value".into()
}

/// The expected type. It follows the last `expected`: text from the client may precede it.
fn expected(message: &str) -> Option<&str> {
    message.rsplit_once("expected ").map(|(_, message)| expected_type(message))
}

/// The type that was found, by the first word of serde's description.
fn found_type(found: &str) -> &'static str {
    match found.split([' ', ',']).next().unwrap_or_default() {
        "boolean" => "a boolean",
        "integer" => "a whole number",
        "floating" | "number" => "a number",
        "string" | "character" => "a string",
        "sequence" => "an array",
        "map" => "an object",
        "null" | "unit" => "null",
        _ => "something else",
    }
}

/// The expected type in terms of JSON.
fn expected_type(message: &str) -> &str {
    match message {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "u128" | "usize" => "a whole number of at least 0",
        "i8" => "a whole number from -128 to 127",
        "i16" => "a whole number from -32768 to 32767",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "bool" => "a boolean",
        "a borrowed string" | "str" | "variant identifier" | "field identifier" | "identifier" => "a string",
        "a character" | "char" => "a string of one character",
        "unit" | "()" => "null",
        "option" => "a value or null",
        "a map" | "map" => "an object",
        "a sequence" | "sequence" | "byte array" | "a byte array" => "an array",
        "string or map" => "a string or an object",
        _ if ["struct ", "map ", "struct variant ", "internally tagged enum ", "adjacently tagged enum "]
            .iter()
            .any(|kind| message.starts_with(kind)) =>
        {
            "an object"
        }
        _ if ["tuple ", "a tuple ", "an array of ", "tuple struct ", "tuple variant "]
            .iter()
            .any(|kind| message.starts_with(kind)) =>
        {
            "an array"
        }
        // serde's other descriptions name a Rust type.
        _ if message.contains("::") || ["unit ", "newtype ", "enum "].iter().any(|kind| message.starts_with(kind)) => {
            "a different value"
        }
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only deserialized")]
    struct NewOrder {
        quantity: u32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        One {},
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only deserialized")]
    enum Status {
        Paid,
        Held(u8),
        Moved { to: u8 },
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Either {
        #[expect(dead_code, reason = "only deserialized")]
        Number(u8),
    }

    #[derive(Debug, Deserialize)]
    struct UnitStruct;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only deserialized")]
    struct TupleStruct(u8, u8);

    fn rewritten<T: DeserializeOwned + std::fmt::Debug>(value: Value) -> String {
        rewrite(&serde_json::from_value::<T>(value).expect_err("a type error").to_string())
    }

    #[test]
    fn messages_use_the_terms_of_json() {
        assert_eq!(rewritten::<NewOrder>(json!("x")), "expected an object, got a string");
        assert_eq!(
            rewritten::<NewOrder>(json!({"quantity": "hunter2"})),
            "expected a whole number from 0 to 4294967295, got a string"
        );
        assert_eq!(rewritten::<NewOrder>(json!({"quantity": -1})), "expected a whole number from 0 to 4294967295");
        assert_eq!(
            rewritten::<NewOrder>(json!({"quantity": 1.5})),
            "expected a whole number from 0 to 4294967295, got a number"
        );
        assert_eq!(rewritten::<NewOrder>(json!({})), "missing field `quantity`");
        assert_eq!(rewritten::<Tagged>(json!(1)), "expected an object, got a whole number");
        assert_eq!(rewritten::<Vec<String>>(json!({})), "expected an array, got an object");
        assert_eq!(rewritten::<BTreeMap<String, u8>>(json!(null)), "expected an object, got null");
        assert_eq!(rewritten::<(u8, u8)>(json!([1])), "expected an array");
        assert_eq!(rewritten::<String>(json!(true)), "expected a string, got a boolean");
        assert_eq!(rewritten::<bool>(json!([])), "expected a boolean, got an array");
        assert_eq!(rewritten::<Status>(json!("hunter2")), "unknown value; expected one of `Paid`, `Held`, `Moved`");
    }

    #[test]
    fn messages_contain_no_rust_types() {
        let values = [
            json!(1),
            json!(-1),
            json!(1.5),
            json!(true),
            json!("x"),
            json!("xx"),
            json!(null),
            json!([]),
            json!([1]),
            json!({}),
            json!({"kind": 1}),
            json!({"kind": "x"}),
            json!({"Paid": 1}),
            json!({"Held": "x"}),
            json!({"Moved": 1}),
            json!({"Moved": [1, 2]}),
            json!({"a": 1, "b": 2}),
            json!({"quantity": []}),
        ];
        let rejections = |value: &Value| {
            let value = || value.clone();
            [
                serde_json::from_value::<NewOrder>(value()).err(),
                serde_json::from_value::<Tagged>(value()).err(),
                serde_json::from_value::<Status>(value()).err(),
                serde_json::from_value::<Either>(value()).err(),
                serde_json::from_value::<UnitStruct>(value()).err(),
                serde_json::from_value::<TupleStruct>(value()).err(),
                serde_json::from_value::<char>(value()).err(),
                serde_json::from_value::<()>(value()).err(),
                serde_json::from_value::<[u8; 3]>(value()).err(),
                serde_json::from_value::<std::time::Duration>(value()).err(),
                serde_json::from_value::<uuid::Uuid>(value()).err(),
                serde_json::from_value::<jiff::Timestamp>(value()).err(),
                serde_json::from_value::<std::net::IpAddr>(value()).err(),
            ]
        };
        for error in values.iter().flat_map(rejections).flatten() {
            let words = rewrite(&error.to_string());
            for name in [
                "struct", "enum", "variant", "tuple", "NewOrder", "Tagged", "Status", "Either", "u8", "u32",
                "sequence", "map", "unit",
            ] {
                let rest = ["`Paid`", "`Held`", "`Moved`"]
                    .iter()
                    .fold(words.clone(), |words, variant| words.replace(variant, ""));
                assert!(!rest.split(|c: char| !c.is_alphanumeric()).any(|word| word == name), "{words} of {error}");
            }
        }
    }
}
