//! What a field is in the generated Rust.

use serde::Serialize;

use super::resource::{Field, Kind};

/// What the templates need to know of a field.
#[derive(Debug, Serialize)]
pub(super) struct FieldCode {
    name: String,
    optional: bool,
    new: Member,
    change: Member,
    item: Member,
    /// What the store binds of a change.
    binds: Vec<String>,
    /// JSON that the field takes.
    pub sample: &'static str,
    /// What comes back for that.
    stored: &'static str,
    /// The same of another value.
    other: &'static str,
    other_stored: &'static str,
    /// What it refuses.
    wrong: &'static str,
}

/// A field of one of the structs of the model.
#[derive(Debug, Serialize)]
struct Member {
    r#type: String,
    attributes: Vec<String>,
}

impl FieldCode {
    pub fn of(field: &Field) -> Self {
        let Field { name, kind, optional } = field;
        let kind = *kind;
        let inner = usize::from(*optional);
        let Samples { value, other, wrong } = kind.samples();
        Self {
            name: name.clone(),
            optional: *optional,
            new: kind.sent(inner),
            // `None` leaves it; of an optional one, `Some(None)` clears it.
            change: kind.sent(1 + inner),
            item: kind.answered(inner),
            binds: match optional {
                true => vec![format!("change.{name}.is_some()"), format!("change.{name}.flatten()")],
                false => vec![format!("change.{name}")],
            },
            sample: value.0,
            stored: value.1,
            other: other.0,
            other_stored: other.1,
            wrong,
        }
    }
}

/// JSON, and what comes back for it.
type Sample = (&'static str, &'static str);

struct Samples {
    value: Sample,
    other: Sample,
    wrong: &'static str,
}

impl Kind {
    const fn rust(self) -> &'static str {
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

    /// Whether the core's `fields` read or check it.
    pub const fn needs_more_than_its_type(self) -> bool {
        !matches!(self, Self::Integer | Self::Boolean | Self::Uuid)
    }

    /// A field of a body, inside so many `Option`s.
    fn sent(self, options: usize) -> Member {
        let schema = joined([self.schema_type(options), self.rules()]);
        let serde = self.reader(options).map(|reader| format!("#[serde({reader})]"));
        let schema = schema.map(|schema| format!("#[schema({schema})]"));
        let garde = format!("#[garde({})]", self.check(options));
        Member {
            r#type: within(options, self.rust()),
            attributes: serde.into_iter().chain(schema).chain([garde]).collect(),
        }
    }

    /// A field of an answer, which may be an `Option`.
    fn answered(self, options: usize) -> Member {
        let format = self.format().map(|format| format!("format = \"{format}\""));
        // Null when it has no value, and never left out.
        let required = (options > 0).then(|| "required".to_owned());
        let schema = joined([self.schema_type(options), format, required]).map(|schema| format!("#[schema({schema})]"));
        let serde = (self == Self::Timestamp).then(|| {
            let writer = if options == 0 { "serialize" } else { "serialize_optional" };
            format!("#[serde(serialize_with = \"time::{writer}\")]")
        });
        Member { r#type: within(options, self.rust()), attributes: schema.into_iter().chain(serde).collect() }
    }

    /// Its type in the API document, where that is another than in Rust.
    fn schema_type(self, options: usize) -> Option<String> {
        if (self, options) == (Self::Json, 0) {
            return Some("schema_with = fields::json_schema".into());
        }
        let is_text = matches!(self, Self::Decimal | Self::Date | Self::Timestamp);
        let shown = if is_text { "String" } else { self.rust() };
        // An `Option` in an `Option` is one to JSON.
        (is_text || options == 2).then(|| format!("value_type = {}", within(options.min(1), shown)))
    }

    const fn format(self) -> Option<&'static str> {
        match self {
            Self::Date => Some("date"),
            Self::Timestamp => Some("date-time"),
            _ => None,
        }
    }

    /// What the API document says of a value beside its type.
    fn rules(self) -> Option<String> {
        match self {
            Self::Text => Some("min_length = 1, max_length = 200, pattern = r\"^[^\\u0000]*$\"".into()),
            Self::Decimal => Some("max_length = 28, pattern = r\"^-?[0-9]+(\\.[0-9]+)?$\", example = \"12.50\"".into()),
            _ => self.format().map(|format| format!("format = \"{format}\"")),
        }
    }

    /// How serde reads it, where its type alone does not say.
    fn reader(self, options: usize) -> Option<String> {
        let reader = match (self, options) {
            (Self::Decimal, 0) => return Some("deserialize_with = \"fields::decimal\"".into()),
            (Self::Decimal, 1) => "optional_decimal",
            (Self::Decimal, _) => "double_option_decimal",
            (_, 2) => "double_option",
            _ => return None,
        };
        // Otherwise a field that is read so has to be there.
        Some(format!("default, deserialize_with = \"fields::{reader}\""))
    }

    /// garde's rules for it.
    fn check(self, options: usize) -> String {
        let inside = |levels: usize, rule: &str| (0..levels).fold(rule.to_owned(), |rule, _| format!("inner({rule})"));
        match self {
            Self::Text => {
                // A length is also that of an `Option`.
                let length = inside(options.saturating_sub(1), "length(chars, min = 1, max = 200)");
                format!("{length}, {}", inside(options, "custom(fields::text)"))
            }
            Self::Date | Self::Timestamp | Self::Json => inside(options, &format!("custom(fields::{})", self.as_str())),
            Self::Integer | Self::Decimal | Self::Boolean | Self::Uuid => "skip".into(),
        }
    }

    const fn samples(self) -> Samples {
        const fn same(json: &'static str) -> Sample {
            (json, json)
        }
        let (value, other, wrong) = match self {
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
        Samples { value, other, wrong }
    }
}

fn within(options: usize, what: &str) -> String {
    (0..options).fold(what.to_owned(), |what, _| format!("Option<{what}>"))
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
    fn a_body_reads_and_checks_each_type_as_its_json_needs() {
        assert_member(&Kind::Integer.sent(0), "i64", &["#[garde(skip)]"]);
        let schema = "#[schema(value_type = Option<String>, format = \"date\")]";
        assert_member(&Kind::Date.sent(1), "Option<Date>", &[schema, "#[garde(inner(custom(fields::date)))]"]);
        let serde = "#[serde(default, deserialize_with = \"fields::double_option\")]";
        let schema = "#[schema(value_type = Option<Value>)]";
        let garde = "#[garde(inner(inner(custom(fields::json))))]";
        assert_member(&Kind::Json.sent(2), "Option<Option<Value>>", &[serde, schema, garde]);
        let garde = "#[garde(inner(length(chars, min = 1, max = 200)), inner(inner(custom(fields::text))))]";
        assert_eq!(Kind::Text.sent(2).attributes.last().map(String::as_str), Some(garde));
        let serde = "#[serde(default, deserialize_with = \"fields::optional_decimal\")]";
        assert_eq!(Kind::Decimal.sent(1).attributes[0], serde);
    }

    #[test]
    fn an_answer_says_in_the_document_what_its_json_is() {
        let serde = "#[serde(serialize_with = \"time::serialize_optional\")]";
        let schema = "#[schema(value_type = Option<String>, format = \"date-time\", required)]";
        assert_member(&Kind::Timestamp.answered(1), "Option<Timestamp>", &[schema, serde]);
        assert_member(&Kind::Decimal.answered(0), "Decimal", &["#[schema(value_type = String)]"]);
        assert_member(&Kind::Json.answered(0), "Value", &["#[schema(schema_with = fields::json_schema)]"]);
        assert_member(&Kind::Json.answered(1), "Option<Value>", &["#[schema(required)]"]);
    }
}
