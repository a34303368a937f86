//! The variant names of an enum, obtained from its `Deserialize` implementation.

use std::fmt;

use serde::de::{self, Deserialize, Visitor};
use serde::forward_to_deserialize_any;

use crate::ValueType;

/// The variant names of an enum as a [`ValueType`].
///
/// ```
/// use cyanotype_settings::{ValueType, one_of};
///
/// #[derive(serde::Deserialize)]
/// #[serde(rename_all = "lowercase")]
/// enum Format {
///     Json,
///     Pretty,
/// }
///
/// assert_eq!(one_of::<Format>(), ValueType::OneOf(&["json", "pretty"]));
/// ```
///
/// # Panics
/// If `T` is not an enum.
#[must_use]
pub fn one_of<T: for<'de> Deserialize<'de>>() -> ValueType {
    match T::deserialize(Variants) {
        Err(Found(Some(words))) => ValueType::OneOf(words),
        _ => panic!("{} is not an enum", std::any::type_name::<T>()),
    }
}

/// A deserializer that only captures the variant names of the requested enum, and returns them as its error.
struct Variants;

impl<'de> de::Deserializer<'de> for Variants {
    type Error = Found;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Found> {
        Err(Found(None))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Found> {
        Err(Found(Some(variants)))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[derive(Debug)]
struct Found(Option<&'static [&'static str]>);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("only variant names are read")
    }
}

impl std::error::Error for Found {}

impl de::Error for Found {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Found(None)
    }
}
