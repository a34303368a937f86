//! A deserializer that accepts a struct only as a JSON object. serde's derived code also accepts an array of the fields in
//! their order; here that is rejected at every depth.
//!
//! Limitation: arrays that serde buffers before it knows their type are not checked: inside `#[serde(flatten)]`, `untagged`
//! and `tag`.

use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Unexpected, VariantAccess,
    Visitor,
};

/// Wraps a deserializer, and each visitor, seed and accessor below it, so that the rule applies at every depth.
pub(crate) struct StrictStructs<T>(pub T);

/// The visitor of a struct: accepts a map only.
struct StructVisitor<V>(V);

macro_rules! forward {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($argument,)* StrictStructs(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for StrictStructs<D> {
    type Error = D::Error;

    forward! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, StructVisitor(visitor))
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for StructVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<V::Value, A::Error> {
        Err(A::Error::invalid_type(Unexpected::Seq, &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(StrictStructs(map))
    }
}

macro_rules! forward_value {
    ($($method:ident: $type:ty;)*) => {
        $(fn $method<E: de::Error>(self, value: $type) -> Result<V::Value, E> {
            self.0.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for StrictStructs<V> {
    type Value = V::Value;

    forward_value! {
        visit_bool: bool;
        visit_i8: i8;
        visit_i16: i16;
        visit_i32: i32;
        visit_i64: i64;
        visit_i128: i128;
        visit_u8: u8;
        visit_u16: u16;
        visit_u32: u32;
        visit_u64: u64;
        visit_u128: u128;
        visit_f32: f32;
        visit_f64: f64;
        visit_char: char;
        visit_str: &str;
        visit_borrowed_str: &'de str;
        visit_string: String;
        visit_bytes: &[u8];
        visit_borrowed_bytes: &'de [u8];
        visit_byte_buf: Vec<u8>;
    }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(StrictStructs(deserializer))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(StrictStructs(deserializer))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(StrictStructs(seq))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(StrictStructs(map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(StrictStructs(access))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for StrictStructs<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(StrictStructs(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for StrictStructs<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(StrictStructs(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for StrictStructs<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(StrictStructs(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(StrictStructs(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for StrictStructs<A> {
    type Error = A::Error;
    type Variant = StrictStructs<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.0.variant_seed(StrictStructs(seed))?;
        Ok((value, StrictStructs(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for StrictStructs<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(StrictStructs(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(len, StrictStructs(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, StructVisitor(visitor))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct All {
        text: String,
        optional: Option<u8>,
        lines: Vec<Line>,
        by_name: BTreeMap<String, Line>,
        pair: (i64, Wrapped),
        kinds: Vec<Kind>,
        any: Value,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Line {
        count: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Wrapped(Option<Line>);

    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        Plain,
        One(Line),
        Two(u8, Line),
        Named { count: f64 },
    }

    const GOOD: &str = r#"{"text": "a\n", "optional": null, "lines": [{"count": 1}], "by_name": {"a": {"count": 2}},
        "pair": [-3, {"count": 3}], "kinds": ["Plain", {"One": {"count": 4}}, {"Two": [5, {"count": 5}]},
        {"Named": {"count": 6.5}}], "any": [[1], {"a": [true, null]}]}"#;

    fn read(json: &str) -> Result<All, String> {
        let mut json = serde_json::Deserializer::from_str(json);
        All::deserialize(StrictStructs(&mut json)).map_err(|error| error.to_string())
    }

    #[test]
    fn valid_json_deserializes_as_without_the_wrapper() {
        assert_eq!(read(GOOD), serde_json::from_str(GOOD).map_err(|error| error.to_string()));
        assert!(read(GOOD).is_ok());
    }

    #[test]
    fn an_array_in_place_of_a_struct_is_rejected_at_any_depth() {
        for (object, array) in [
            (r#"[{"count": 1}]"#, "[[1]]"),
            (r#"{"a": {"count": 2}}"#, r#"{"a": [2]}"#),
            (r#"[-3, {"count": 3}]"#, "[-3, [3]]"),
            (r#"{"One": {"count": 4}}"#, r#"{"One": [4]}"#),
            (r#"{"Two": [5, {"count": 5}]}"#, r#"{"Two": [5, [5]]}"#),
            (r#"{"Named": {"count": 6.5}}"#, r#"{"Named": [6.5]}"#),
        ] {
            let positional = GOOD.replace(object, array);
            assert_ne!(positional, GOOD);
            assert!(serde_json::from_str::<All>(&positional).is_ok(), "serde accepts {array}");
            let rejection = read(&positional).expect_err(array);
            assert!(rejection.contains("invalid type: sequence, expected struct"), "{rejection}");
        }
        assert!(read(r#"["a", null, [], {}, [1, null], [], null]"#).is_err());
    }
}
