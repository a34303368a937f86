//! Validators and deserializers for the fields of a request body.
//!
//! The validators, for garde's `custom`, reject values that one of the two databases cannot store. The deserializers, for
//! serde's `deserialize_with`, handle types that JSON does not have. `cargo blueprint new --resource` uses all of them.
//!
//! ```
//! use cyanotype::fields;
//! use garde::Validate;
//! use rust_decimal::Decimal;
//!
//! /// A change: an absent field stays unchanged, and null clears the note.
//! #[derive(serde::Deserialize, Validate)]
//! struct Change {
//!     #[serde(default, deserialize_with = "fields::optional_decimal")]
//!     #[garde(skip)]
//!     price: Option<Decimal>,
//!     #[serde(default, deserialize_with = "fields::double_option")]
//!     #[garde(inner(inner(custom(fields::text))))]
//!     note: Option<Option<String>>,
//! }
//!
//! let change: Change = serde_json::from_str(r#"{"price": "12.50", "note": null}"#)?;
//! assert_eq!((change.price, change.note), (Some(Decimal::new(1250, 2)), Some(None)));
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// Maximum length of a decimal in characters: that many digits always fit into a [`Decimal`].
const MAX_DECIMAL_CHARS: usize = 28;

/// The first instant of the year 0.
const YEAR_0: Timestamp = Timestamp::constant(-62_167_219_200, 0);

/// Validates a string: PostgreSQL does not store null characters.
///
/// # Errors
/// If the text contains a null character.
pub fn text<C>(text: &str, _: &C) -> garde::Result {
    if text.contains('\0') { Err(garde::Error::new("must not contain a null character")) } else { Ok(()) }
}

/// Validates a JSON value: it must not be null, and PostgreSQL does not store null characters.
///
/// # Errors
/// If the value is null, or a string or key in it contains a null character.
pub fn json<C>(value: &Value, context: &C) -> garde::Result {
    if value.is_null() {
        return Err(garde::Error::new("must not be null"));
    }
    check_strings(value, &|part| text(part, context))
}

/// The schema of values that [`json`] accepts, for utoipa's `schema_with`: any type but null.
#[must_use]
pub fn json_schema() -> Object {
    let types = [Type::Object, Type::Array, Type::String, Type::Number, Type::Boolean];
    ObjectBuilder::new().schema_type(types.into_iter().collect::<SchemaType>()).build()
}

/// Applies a check to each string and each key in a value.
fn check_strings(value: &Value, check: &impl Fn(&str) -> garde::Result) -> garde::Result {
    match value {
        Value::String(text) => check(text),
        Value::Array(values) => values.iter().try_for_each(|value| check_strings(value, check)),
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            check(name)?;
            check_strings(value, check)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// Validates a date: RFC 3339 has four-digit years, and PostgreSQL cannot store every date before the year 0.
///
/// # Errors
/// If the date is before the year 0.
pub fn date<C>(date: &Date, _: &C) -> garde::Result {
    reject_before_year_0(date.year() < 0)
}

/// Validates a time, with the same limit as [`date`].
///
/// # Errors
/// If the time is before the year 0.
pub fn timestamp<C>(time: &Timestamp, _: &C) -> garde::Result {
    reject_before_year_0(*time < YEAR_0)
}

fn reject_before_year_0(is_before: bool) -> garde::Result {
    if is_before { Err(garde::Error::new("must not be before the year 0")) } else { Ok(()) }
}

/// Deserializes a decimal number from a string such as `"12.50"`, because a JSON number may lose precision. The string has at
/// most 28 characters and matches `^-?[0-9]+(\.[0-9]+)?$`.
///
/// # Errors
/// If the value is not such a string.
pub fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    deserializer.deserialize_str(DecimalVisitor)
}

/// Deserializes an optional decimal like [`decimal`]; add `#[serde(default)]`.
///
/// # Errors
/// If the value is neither such a string nor null.
pub fn optional_decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    #[derive(Deserialize)]
    struct Wrapped(#[serde(deserialize_with = "decimal")] Decimal);
    Ok(Option::<Wrapped>::deserialize(deserializer)?.map(|Wrapped(number)| number))
}

/// Deserializes an `Option<Option<T>>` that distinguishes null from absence: `Some(None)` is null and, with
/// `#[serde(default)]`, `None` is an absent field.
///
/// # Errors
/// If the value has another type.
pub fn double_option<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Deserializes an optional [`decimal`] that distinguishes null from absence, like [`double_option`].
///
/// # Errors
/// If the value is neither a decimal nor null.
pub fn double_option_decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Decimal>>, D::Error> {
    optional_decimal(deserializer).map(Some)
}

struct DecimalVisitor;

impl Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a decimal number in quotes, such as \"12.50\", of at most {MAX_DECIMAL_CHARS} characters")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        let number = Decimal::from_str_exact(text).ok().filter(|_| is_plain(text));
        number.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// Whether the text consists of digits, with an optional minus sign and an optional decimal point between digits.
fn is_plain(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, rest)| (whole, Some(rest)));
    text.len() <= MAX_DECIMAL_CHARS && digits(whole) && fraction.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Option<String> {
        decimal(value).ok().map(|number| number.to_string())
    }

    #[test]
    fn a_decimal_preserves_its_digits() {
        for text in ["0", "12.50", "-0.005", "9999999999999999999999999999", "0.00000000000000000000000001", "10"] {
            assert_eq!(read(json!(text)).as_deref(), Some(text));
        }
        assert_eq!(read(json!("007.10")).as_deref(), Some("7.10"));
    }

    #[test]
    fn other_notations_are_not_decimals() {
        for text in ["", "-", ".5", "5.", "+1", "1e3", "1_000", "1,5", " 1", "1.2.3", "--1", "٣", "NaN"] {
            assert_eq!(read(json!(text)), None, "{text}");
        }
        assert_eq!(read(json!("1".repeat(29))), None);
        for value in [json!(1), json!(12.5), json!(null), json!(["1"])] {
            assert_eq!(read(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn null_and_absence_are_distinguished() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Change {
            #[serde(default, deserialize_with = "double_option")]
            note: Option<Option<i64>>,
            #[serde(default, deserialize_with = "double_option_decimal")]
            price: Option<Option<Decimal>>,
        }
        let read = |value: Value| serde_json::from_value::<Change>(value).unwrap();
        assert_eq!(read(json!({})), Change { note: None, price: None });
        assert_eq!(read(json!({"note": null, "price": null})), Change { note: Some(None), price: Some(None) });
        let given = Change { note: Some(Some(1)), price: Some(Some(Decimal::TEN)) };
        assert_eq!(read(json!({"note": 1, "price": "10"})), given);
    }

    #[test]
    fn values_that_a_database_cannot_store_are_rejected() {
        assert!(text("", &()).is_ok() && text("a\0", &()).is_err());
        for value in [json!(0), json!([null, {"a": ""}])] {
            assert!(json(&value, &()).is_ok(), "{value}");
        }
        for value in [json!(null), json!("\0"), json!([[{"a": "\0"}]]), json!({"\0": 1})] {
            assert!(json(&value, &()).is_err(), "{value}");
        }
        let day: Date = "0000-01-01".parse().unwrap();
        assert!(date(&day, &()).is_ok() && date(&day.yesterday().unwrap(), &()).is_err());
        let time: Timestamp = "0000-01-01T00:00:00Z".parse().unwrap();
        let before: Timestamp = "-000001-12-31T23:59:59Z".parse().unwrap();
        assert!(timestamp(&time, &()).is_ok() && timestamp(&before, &()).is_err());
    }
}
