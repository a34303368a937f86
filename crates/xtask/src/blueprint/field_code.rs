//! What a field is in the generated Rust.

use serde::Serialize;

use super::resource::{Field, Kind};

/// What the templates ask of a field.
#[derive(Debug, Serialize)]
pub(super) struct FieldCode {
    name: String,
    optional: bool,
    new: New,
    change: Change,
    item: Item,
    /// JSON that it takes.
    pub sample: &'static str,
    /// What comes back for that.
    stored: &'static str,
    /// The same of another value.
    other: &'static str,
    other_stored: &'static str,
}

#[derive(Debug, Serialize)]
struct New {
    r#type: String,
    schema: Option<String>,
    check: &'static str,
    bind: String,
}

/// `None` leaves it; of an optional one, `Some(None)` clears it.
#[derive(Debug, Serialize)]
struct Change {
    r#type: String,
    schema: Option<String>,
    check: &'static str,
    binds: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Item {
    r#type: String,
    schema: Option<&'static str>,
    read: String,
}

impl FieldCode {
    pub fn of(field: &Field) -> Self {
        let Field { name, kind, optional } = field;
        let kind = *kind;
        let may_be = |wrapped: bool, what: &str| if wrapped { format!("Option<{what}>") } else { what.to_owned() };
        let (value, kept) = (kind.value(), kind.kept());
        let new_type = may_be(*optional, value);
        let (sample, stored, other, other_stored) = kind.samples();
        Self {
            name: name.clone(),
            optional: *optional,
            new: New {
                schema: kind.schema(usize::from(*optional)),
                check: kind.check(usize::from(*optional)),
                bind: if *optional {
                    kind.bind_option(&format!("new.{name}"))
                } else {
                    kind.bind(&format!("new.{name}"))
                },
                r#type: new_type.clone(),
            },
            change: Change {
                r#type: may_be(true, &new_type),
                schema: kind.schema(1 + usize::from(*optional)),
                check: kind.check(1 + usize::from(*optional)),
                binds: if *optional {
                    vec![format!("i64::from(change.{name}.is_some())"), kind.bind_inner(&format!("change.{name}"))]
                } else {
                    vec![kind.bind_option(&format!("change.{name}"))]
                },
            },
            item: Item {
                r#type: may_be(*optional, kept),
                schema: (kind == Kind::Timestamp).then_some("format = \"date-time\""),
                read: kind.read(name, *optional),
            },
            sample,
            stored,
            other,
            other_stored,
        }
    }
}

impl Kind {
    /// Its type in a request.
    const fn value(self) -> &'static str {
        match self {
            Self::Text => "String",
            Self::Integer => "i64",
            Self::Boolean => "bool",
            Self::Timestamp => "Timestamp",
            Self::Uuid => "Uuid",
        }
    }

    /// Its type in an answer: a time stays as it was written.
    const fn kept(self) -> &'static str {
        match self {
            Self::Timestamp => "String",
            other => other.value(),
        }
    }

    /// What the API document cannot tell from its type in a request, inside so many `Option`s.
    fn schema(self, options: usize) -> Option<String> {
        let known = match self {
            Self::Text | Self::Timestamp => "String",
            other => other.value(),
        };
        // An `Option` in an `Option` is one to JSON.
        let as_type = match (self, options) {
            (_, 2) => Some(format!("value_type = Option<{known}>")),
            (Self::Timestamp, 1) => Some("value_type = Option<String>".into()),
            (Self::Timestamp, _) => Some("value_type = String".into()),
            _ => None,
        };
        let more = match self {
            Self::Text => Some("min_length = 1, max_length = 200, pattern = r\"^[^\\u0000]*$\"".into()),
            Self::Timestamp => Some("format = \"date-time\"".into()),
            _ => None,
        };
        let said: Vec<String> = as_type.into_iter().chain(more).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }

    /// garde's rules for it, inside so many `Option`s.
    const fn check(self, options: usize) -> &'static str {
        match (self, options) {
            (Self::Text, 0) => "length(chars, min = 1, max = 200), custom(without_null)",
            (Self::Text, 1) => "length(chars, min = 1, max = 200), inner(custom(without_null))",
            (Self::Text, _) => "inner(length(chars, min = 1, max = 200), inner(custom(without_null)))",
            _ => "skip",
        }
    }

    /// The value for the database.
    fn bind(self, place: &str) -> String {
        match self {
            Self::Text => format!("&{place}"),
            Self::Integer => place.into(),
            Self::Boolean => format!("i64::from({place})"),
            Self::Timestamp => format!("written({place})"),
            Self::Uuid => format!("{place}.to_string()"),
        }
    }

    /// The same of an `Option`.
    fn bind_option(self, place: &str) -> String {
        match self {
            Self::Text => format!("{place}.as_deref()"),
            Self::Integer => place.into(),
            Self::Boolean => format!("{place}.map(i64::from)"),
            Self::Timestamp => format!("{place}.map(written)"),
            Self::Uuid => format!("{place}.map(|id| id.to_string())"),
        }
    }

    /// The same of an `Option` in an `Option`.
    fn bind_inner(self, place: &str) -> String {
        match self {
            Self::Text => format!("{place}.as_ref().and_then(Option::as_deref)"),
            other => other.bind_option(&format!("{place}.flatten()")),
        }
    }

    /// The value from the database.
    fn read(self, name: &str, optional: bool) -> String {
        match (self, optional) {
            (Self::Boolean, false) => format!("row.try_get::<i64, _>(\"{name}\")? != 0"),
            (Self::Boolean, true) => format!("row.try_get::<Option<i64>, _>(\"{name}\")?.map(|it| it != 0)"),
            (Self::Uuid, false) => format!("uuid(row.try_get(\"{name}\")?)?"),
            (Self::Uuid, true) => format!("row.try_get::<Option<&str>, _>(\"{name}\")?.map(uuid).transpose()?"),
            _ => format!("row.try_get(\"{name}\")?"),
        }
    }

    /// JSON of a value and of what is kept of it, and of another.
    const fn samples(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Text => ("\"first\"", "\"first\"", "\"second\"", "\"second\""),
            Self::Integer => ("1", "1", "-2", "-2"),
            Self::Boolean => ("true", "true", "false", "false"),
            Self::Timestamp => (
                "\"2030-01-02T03:04:05Z\"",
                "\"2030-01-02T03:04:05.000000Z\"",
                "\"2031-01-02T03:04:05.5+02:00\"",
                "\"2031-01-02T01:04:05.500000Z\"",
            ),
            Self::Uuid => (
                "\"018f3f6e-5ab8-7708-979c-4a9937d49941\"",
                "\"018f3f6e-5ab8-7708-979c-4a9937d49941\"",
                "\"018f3f6e-5ab8-7708-979c-4a9937d49942\"",
                "\"018f3f6e-5ab8-7708-979c-4a9937d49942\"",
            ),
        }
    }
}
