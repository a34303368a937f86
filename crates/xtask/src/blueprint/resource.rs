//! Parses a resource definition: `--resource "name:text price_cents:integer note:text?"`.

use std::str::FromStr;

use super::reserved_words;

/// PostgreSQL truncates longer names.
const MAX_LENGTH: usize = 63;

/// The fields that every resource has.
const IMPLICIT_FIELDS: [&str; 4] = ["id", "created_at", "updated_at", "version"];

/// The column of the user who owns the row.
const OWNER_COLUMN: &str = "user_id";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    pub fields: Vec<Field>,
    /// Whether each row belongs to a user, and only that user can read and change it.
    pub owned: bool,
}

impl Resource {
    /// Adds an owner to each row.
    pub fn owned(self) -> Result<Self, String> {
        if self.fields.iter().any(|field| field.name == OWNER_COLUMN) {
            return Err(format!("--owned adds the field {OWNER_COLUMN}; remove it from --resource"));
        }
        Ok(Self { owned: true, ..self })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub name: String,
    pub field_type: FieldType,
    /// Whether it may be omitted or null.
    pub optional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldType {
    Text,
    Integer,
    Decimal,
    Boolean,
    Date,
    Timestamp,
    Uuid,
    Json,
}

impl FieldType {
    pub const ALL: [Self; 8] =
        [Self::Text, Self::Integer, Self::Decimal, Self::Boolean, Self::Date, Self::Timestamp, Self::Uuid, Self::Json];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Uuid => "uuid",
            Self::Json => "json",
        }
    }
}

impl FromStr for Resource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut fields: Vec<Field> = Vec::new();
        for word in text.split_whitespace() {
            let field: Field = word.parse()?;
            if fields.iter().any(|other| other.name == field.name) {
                return Err(format!("the field {} is defined twice", field.name));
            }
            fields.push(field);
        }
        if fields.is_empty() {
            return Err("a resource requires at least one field, such as `name:text`".into());
        }
        Ok(Self { fields, owned: false })
    }
}

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, type_name)) = text.split_once(':') else {
            return Err(format!("the field `{text}` has no type; write it as `name:text`"));
        };
        let (type_name, optional) = type_name.strip_suffix('?').map_or((type_name, false), |name| (name, true));
        let Some(field_type) = FieldType::ALL.into_iter().find(|known| known.as_str() == type_name) else {
            let known = FieldType::ALL.map(FieldType::as_str).join(", ");
            return Err(format!(
                "the field {name} has the unknown type `{type_name}`; the types are {known}, followed by `?` if optional"
            ));
        };
        if !reserved_words::are_joined_by(name, '_') {
            let expected = "a field name consists of lower-case words joined by underscores, such as `price_cents`";
            return Err(format!("invalid field name `{name}`: {expected}"));
        }
        if name.len() > MAX_LENGTH {
            return Err(format!("the field name {name} has more than {MAX_LENGTH} characters"));
        }
        if IMPLICIT_FIELDS.contains(&name) {
            return Err(format!("every resource already has the field {name}; remove it from --resource"));
        }
        if let Some(language) = reserved_words::language(name) {
            return Err(format!("the field name {name} is {language} keyword; choose another name"));
        }
        Ok(Self { name: name.into(), field_type, optional })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_names_and_types_and_may_be_optional() {
        let resource: Resource = " name:text  price_cents:integer note:text?".parse().unwrap();
        let field = |name: &str, field_type, optional| Field { name: name.into(), field_type, optional };
        let expected = [
            field("name", FieldType::Text, false),
            field("price_cents", FieldType::Integer, false),
            field("note", FieldType::Text, true),
        ];
        assert_eq!(resource.fields, expected);
    }

    #[test]
    fn an_invalid_resource_is_rejected_with_the_reason() {
        for (text, reason) in [
            ("", "at least one field"),
            ("name", "has no type"),
            ("name:", "the types are text, integer"),
            (
                "name:float",
                "the field name has the unknown type `float`; the types are text, integer, decimal, boolean, date, timestamp, \
                 uuid, json, followed by `?` if optional",
            ),
            ("name:text??", "has the unknown type `text?`"),
            ("name:text:integer", "has the unknown type `text:integer`"),
            (":text", "invalid field name ``"),
            ("Name:text", "lower-case words"),
            ("a__b:text", "lower-case words"),
            ("_a:text", "lower-case words"),
            ("price-cents:integer", "lower-case words"),
            ("1a:text", "lower-case words"),
            ("name:text name:integer", "the field name is defined twice"),
            ("id:uuid", "already has the field id"),
            ("created_at:timestamp", "already"),
            ("updated_at:timestamp", "already"),
            ("version:integer", "already"),
            ("type:text", "a Rust keyword"),
            ("order:integer", "an SQL keyword"),
            (&format!("{}:text", "a".repeat(64)), "more than 63"),
        ] {
            let rejected = text.parse::<Resource>().unwrap_err();
            assert!(rejected.contains(reason), "{text}: {rejected}");
        }
    }

    #[test]
    fn the_owner_column_cannot_be_a_field() {
        let resource: Resource = "user_id:uuid".parse().unwrap();
        assert!(!resource.owned);
        assert!(resource.owned().unwrap_err().contains("adds the field user_id"));
        let resource: Resource = "owner:uuid".parse().unwrap();
        assert!(resource.owned().unwrap().owned);
    }
}
