//! Rust code generated for a field.

use serde::Serialize;

use super::resource::{Field, FieldType};

/// The template variables of a field.
#[derive(Debug, Serialize)]
pub(super) struct FieldRust {
    name: String,
    optional: bool,
    new: Member,
    change: Member,
    item: Member,
    /// The values that an UPDATE statement binds.
    binds: Vec<String>,
    /// A JSON value that the field accepts.
    pub example: &'static str,
    /// The JSON value that a response then contains.
    example_stored: &'static str,
    /// A second pair of such values.
    updated: &'static str,
    updated_stored: &'static str,
    /// A JSON value that the field rejects.
    invalid: &'static str,
}

/// A field of a struct in `model.rs`.
#[derive(Debug, Serialize)]
struct Member {
    r#type: String,
    attributes: Vec<String>,
}

impl FieldRust {
    pub fn of(field: &Field) -> Self {
        let Field { name, field_type, optional } = field;
        let field_type = *field_type;
        let options = usize::from(*optional);
        let Samples { example, updated, invalid } = field_type.samples();
        Self {
            name: name.clone(),
            optional: *optional,
            new: field_type.request_member(options),
            // `None` leaves the value unchanged; `Some(None)` clears an optional field.
            change: field_type.request_member(1 + options),
            item: field_type.response_member(options),
            binds: match optional {
                true => vec![format!("change.{name}.is_some()"), format!("change.{name}.flatten()")],
                false => vec![format!("change.{name}")],
            },
            example: example.0,
            example_stored: example.1,
            updated: updated.0,
            updated_stored: updated.1,
            invalid,
        }
    }
}

/// A JSON value of a request, and the value that the response contains for it.
type Sample = (&'static str, &'static str);

struct Samples {
    example: Sample,
    updated: Sample,
    invalid: &'static str,
}

impl FieldType {
    const fn rust_type(self) -> &'static str {
        match self {
            Self::Text => "String",
            Self::Integer => "i64",
            Self::Decimal => "Decimal",
            Self::Boolean => "bool",
            Self::Date => "Date",
            Self::Timestamp => "Timestamp",
            Self::Uuid => "Uuid",
            Self::Json => "Value",
        }
    }

    /// Whether the generated code uses `cyanotype::fields` to deserialize or validate it.
    pub const fn uses_field_helpers(self) -> bool {
        !matches!(self, Self::Integer | Self::Boolean | Self::Uuid)
    }

    /// A field of a request body, wrapped in this many `Option`s.
    fn request_member(self, options: usize) -> Member {
        let schema = joined([self.schema_type(options), self.schema_rules()]);
        let serde = self.serde_arguments(options).map(|arguments| format!("#[serde({arguments})]"));
        let schema = schema.map(|schema| format!("#[schema({schema})]"));
        let garde = format!("#[garde({})]", self.garde_rules(options));
        Member {
            r#type: in_options(options, self.rust_type()),
            attributes: serde.into_iter().chain(schema).chain([garde]).collect(),
        }
    }

    /// A field of a response body, wrapped in this many `Option`s.
    fn response_member(self, options: usize) -> Member {
        let format = self.format().map(|format| format!("format = \"{format}\""));
        // A field without a value is null, never omitted.
        let required = (options > 0).then(|| "required".to_owned());
        let schema = joined([self.schema_type(options), format, required]).map(|schema| format!("#[schema({schema})]"));
        let serde = (self == Self::Timestamp).then(|| {
            let function = if options == 0 { "serialize" } else { "serialize_optional" };
            format!("#[serde(serialize_with = \"time::{function}\")]")
        });
        Member { r#type: in_options(options, self.rust_type()), attributes: schema.into_iter().chain(serde).collect() }
    }

    /// The type in the API document, where it differs from the Rust type.
    fn schema_type(self, options: usize) -> Option<String> {
        if (self, options) == (Self::Json, 0) {
            return Some("schema_with = fields::json_schema".into());
        }
        let is_text = matches!(self, Self::Decimal | Self::Date | Self::Timestamp);
        let schema_type = if is_text { "String" } else { self.rust_type() };
        // In JSON a nested `Option` is a single nullable value.
        (is_text || options == 2).then(|| format!("value_type = {}", in_options(options.min(1), schema_type)))
    }

    const fn format(self) -> Option<&'static str> {
        match self {
            Self::Date => Some("date"),
            Self::Timestamp => Some("date-time"),
            _ => None,
        }
    }

    /// The constraints that the API document states in addition to the type.
    fn schema_rules(self) -> Option<String> {
        match self {
            Self::Text => Some("min_length = 1, max_length = 200, pattern = r\"^[^\\u0000]*$\"".into()),
            Self::Decimal => Some("max_length = 28, pattern = r\"^-?[0-9]+(\\.[0-9]+)?$\", example = \"12.50\"".into()),
            _ => self.format().map(|format| format!("format = \"{format}\"")),
        }
    }

    /// The arguments of `#[serde(…)]`, if the type needs any.
    fn serde_arguments(self, options: usize) -> Option<String> {
        let function = match (self, options) {
            (Self::Decimal, 0) => return Some("deserialize_with = \"fields::decimal\"".into()),
            (Self::Decimal, 1) => "optional_decimal",
            (Self::Decimal, _) => "double_option_decimal",
            (_, 2) => "double_option",
            _ => return None,
        };
        // Without `default`, serde requires a field that has `deserialize_with`.
        Some(format!("default, deserialize_with = \"fields::{function}\""))
    }

    /// The arguments of `#[garde(…)]`.
    fn garde_rules(self, options: usize) -> String {
        let inner = |levels: usize, rule: &str| (0..levels).fold(rule.to_owned(), |rule, _| format!("inner({rule})"));
        match self {
            Self::Text => {
                // `length` also accepts one `Option`; `custom` does not.
                let length = inner(options.saturating_sub(1), "length(chars, min = 1, max = 200)");
                format!("{length}, {}", inner(options, "custom(fields::text)"))
            }
            Self::Date | Self::Timestamp | Self::Json => inner(options, &format!("custom(fields::{})", self.as_str())),
            Self::Integer | Self::Decimal | Self::Boolean | Self::Uuid => "skip".into(),
        }
    }

    const fn samples(self) -> Samples {
        const fn same(json: &'static str) -> Sample {
            (json, json)
        }
        let (example, updated, invalid) = match self {
            Self::Text => (same("\"first\""), same("\"second\""), "\"\""),
            Self::Integer => (same("1"), same("-2"), "\"1\""),
            Self::Decimal => (same("\"12.50\""), same("\"-0.005\""), "12.5"),
            Self::Boolean => (same("true"), same("false"), "1"),
            Self::Date => (same("\"2026-01-31\""), same("\"2028-02-29\""), "\"2026-02-30\""),
            Self::Timestamp => (
                ("\"2030-01-02T03:04:05Z\"", "\"2030-01-02T03:04:05.000000Z\""),
                ("\"2031-01-02T03:04:05.5+02:00\"", "\"2031-01-02T01:04:05.500000Z\""),
                "\"2030-01-02\"",
            ),
            Self::Uuid => (
                same("\"018f3f6e-5ab8-7708-979c-4a9937d49941\""),
                same("\"018f3f6e-5ab8-7708-979c-4a9937d49942\""),
                "\"1\"",
            ),
            Self::Json => (same("{\"sizes\": [1, 2.5], \"tag\": null}"), same("[true]"), "{\"tag\": \"\\u{0}\"}"),
        };
        Samples { example, updated, invalid }
    }
}

fn in_options(options: usize, inner: &str) -> String {
    (0..options).fold(inner.to_owned(), |inner, _| format!("Option<{inner}>"))
}

fn joined<const N: usize>(parts: [Option<String>; N]) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes_of(member: &Member) -> Vec<&str> {
        member.attributes.iter().map(String::as_str).collect()
    }

    #[track_caller]
    fn assert_member(member: &Member, r#type: &str, attributes: &[&str]) {
        assert_eq!((&*member.r#type, &*attributes_of(member)), (r#type, attributes));
    }

    #[test]
    fn request_members_have_the_attributes_of_their_type() {
        assert_member(&FieldType::Integer.request_member(0), "i64", &["#[garde(skip)]"]);
        let schema = "#[schema(value_type = Option<String>, format = \"date\")]";
        assert_member(
            &FieldType::Date.request_member(1),
            "Option<Date>",
            &[schema, "#[garde(inner(custom(fields::date)))]"],
        );
        let serde = "#[serde(default, deserialize_with = \"fields::double_option\")]";
        let schema = "#[schema(value_type = Option<Value>)]";
        let garde = "#[garde(inner(inner(custom(fields::json))))]";
        assert_member(&FieldType::Json.request_member(2), "Option<Option<Value>>", &[serde, schema, garde]);
        let garde = "#[garde(inner(length(chars, min = 1, max = 200)), inner(inner(custom(fields::text))))]";
        assert_eq!(FieldType::Text.request_member(2).attributes.last().map(String::as_str), Some(garde));
        let serde = "#[serde(default, deserialize_with = \"fields::optional_decimal\")]";
        assert_eq!(FieldType::Decimal.request_member(1).attributes[0], serde);
    }

    #[test]
    fn response_members_describe_their_json() {
        let serde = "#[serde(serialize_with = \"time::serialize_optional\")]";
        let schema = "#[schema(value_type = Option<String>, format = \"date-time\", required)]";
        assert_member(&FieldType::Timestamp.response_member(1), "Option<Timestamp>", &[schema, serde]);
        assert_member(&FieldType::Decimal.response_member(0), "Decimal", &["#[schema(value_type = String)]"]);
        assert_member(&FieldType::Json.response_member(0), "Value", &["#[schema(schema_with = fields::json_schema)]"]);
        assert_member(&FieldType::Json.response_member(1), "Option<Value>", &["#[schema(required)]"]);
    }
}
