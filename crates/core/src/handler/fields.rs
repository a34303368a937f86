//! What the fields of a body need beyond their types.
//!
//! The checks, for garde's `custom`, refuse what one of the two databases cannot hold. The readers, for serde's
//! `deserialize_with`, read what JSON has no type for. `cargo blueprint new --resource` uses all of them.
//!
//! ```
//! use cyanotype::fields;
//! use garde::Validate;
//! use rust_decimal::Decimal;
//!
//! /// A change: a field that is left out stays, and a null clears the note.
//! #[derive(serde::Deserialize, Validate)]
//! struct Change {
//!     #[serde(default, deserialize_with = "fields::decimal_or_none")]
//!     #[garde(skip)]
//!     price: Option<Decimal>,
//!     #[serde(default, deserialize_with = "fields::present")]
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

/// As many digits always fit into a [`Decimal`], wherever its point is.
const LONGEST_DECIMAL: usize = 28;

/// The first moment of the year 0.
const YEAR_0: Timestamp = Timestamp::constant(-62_167_219_200, 0);

/// Checks a text: PostgreSQL holds no null character.
///
/// # Errors
/// When it has one.
pub fn text<C>(text: &str, _: &C) -> garde::Result {
    if text.contains('\0') { Err(garde::Error::new("may not hold a null character")) } else { Ok(()) }
}

/// Checks a JSON value: not null, which would be no value, and without null characters, which PostgreSQL does not hold.
///
/// # Errors
/// When it is or has one of them.
pub fn json<C>(value: &Value, context: &C) -> garde::Result {
    if value.is_null() {
        return Err(garde::Error::new("may not be null"));
    }
    texts(value, &|part| text(part, context))
}

/// What [`json`] lets pass, for utoipa's `schema_with`: a value of any type but null.
#[must_use]
pub fn json_schema() -> Object {
    let types = [Type::Object, Type::Array, Type::String, Type::Number, Type::Boolean];
    ObjectBuilder::new().schema_type(types.into_iter().collect::<SchemaType>()).build()
}

/// Shows each text inside a value to a check, the names of members among them.
fn texts(value: &Value, check: &impl Fn(&str) -> garde::Result) -> garde::Result {
    match value {
        Value::String(text) => check(text),
        Value::Array(values) => values.iter().try_for_each(|value| texts(value, check)),
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            check(name)?;
            texts(value, check)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// Checks a date: RFC 3339 writes years with four digits, and PostgreSQL holds few of those before.
///
/// # Errors
/// When it is before the year 0.
pub fn date<C>(date: &Date, _: &C) -> garde::Result {
    since_year_0(date.year() >= 0)
}

/// Checks a time, as [`date`] does.
///
/// # Errors
/// When it is before the year 0.
pub fn timestamp<C>(time: &Timestamp, _: &C) -> garde::Result {
    since_year_0(*time >= YEAR_0)
}

fn since_year_0(is_since: bool) -> garde::Result {
    if is_since { Ok(()) } else { Err(garde::Error::new("may not be before the year 0")) }
}

/// Reads a decimal number from a text such as `"12.50"`, since a JSON number need not be exact: at most 28 characters that
/// match `^-?[0-9]+(\.[0-9]+)?$`.
///
/// # Errors
/// For any other value.
pub fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    deserializer.deserialize_str(DecimalText)
}

/// The same, where there may be none; with `#[serde(default)]` beside it.
///
/// # Errors
/// For any other value.
pub fn decimal_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    #[derive(Deserialize)]
    struct Wrapped(#[serde(deserialize_with = "decimal")] Decimal);
    Ok(Option::<Wrapped>::deserialize(deserializer)?.map(|Wrapped(number)| number))
}

/// Reads an `Option` in an `Option`: `Some(None)` is null. With `#[serde(default)]` beside it `None` is left out.
///
/// # Errors
/// When the value is of another type.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The same of a [`decimal`].
///
/// # Errors
/// As there.
pub fn present_decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Decimal>>, D::Error> {
    decimal_or_none(deserializer).map(Some)
}

struct DecimalText;

impl Visitor<'_> for DecimalText {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a decimal number in quotes, such as \"12.50\", of at most {LONGEST_DECIMAL} characters")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        let number = Decimal::from_str_exact(text).ok().filter(|_| is_plain(text));
        number.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// Whether it is written in digits alone, with a point between two of them and a minus in front if need be.
fn is_plain(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, rest)| (whole, Some(rest)));
    text.len() <= LONGEST_DECIMAL && digits(whole) && fraction.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Option<String> {
        decimal(value).ok().map(|number| number.to_string())
    }

    #[test]
    fn a_decimal_is_as_it_was_written() {
        for text in ["0", "12.50", "-0.005", "9999999999999999999999999999", "0.00000000000000000000000001", "10"] {
            assert_eq!(read(json!(text)).as_deref(), Some(text));
        }
        assert_eq!(read(json!("007.10")).as_deref(), Some("7.10"));
    }

    #[test]
    fn what_may_not_be_exact_is_no_decimal() {
        for text in ["", "-", ".5", "5.", "+1", "1e3", "1_000", "1,5", " 1", "1.2.3", "--1", "٣", "NaN"] {
            assert_eq!(read(json!(text)), None, "{text}");
        }
        assert_eq!(read(json!("1".repeat(29))), None);
        for value in [json!(1), json!(12.5), json!(null), json!(["1"])] {
            assert_eq!(read(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn null_and_left_out_are_told_apart() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Change {
            #[serde(default, deserialize_with = "present")]
            note: Option<Option<i64>>,
            #[serde(default, deserialize_with = "present_decimal")]
            price: Option<Option<Decimal>>,
        }
        let read = |value: Value| serde_json::from_value::<Change>(value).unwrap();
        assert_eq!(read(json!({})), Change { note: None, price: None });
        assert_eq!(read(json!({"note": null, "price": null})), Change { note: Some(None), price: Some(None) });
        let given = Change { note: Some(Some(1)), price: Some(Some(Decimal::TEN)) };
        assert_eq!(read(json!({"note": 1, "price": "10"})), given);
    }

    #[test]
    fn what_a_database_cannot_hold_is_refused() {
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
