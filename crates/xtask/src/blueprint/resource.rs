//! What a resource is made of: `--resource "name:text price_cents:integer note:text?"`.

use std::str::FromStr;

use super::words;

/// PostgreSQL cuts longer names off.
const LONGEST: usize = 63;

const RESERVED: [&str; 4] = ["id", "created_at", "updated_at", "version"];

/// The column of the user whose row it is.
const OWNER: &str = "user_id";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resource {
    pub fields: Vec<Field>,
    /// Whether each row belongs to a user, who alone sees and changes it.
    pub owned: bool,
}

impl Resource {
    /// The same, with an owner for each row.
    pub fn owned(self) -> Result<Self, String> {
        if self.fields.iter().any(|field| field.name == OWNER) {
            return Err(format!("with --owned every row has the field {OWNER} already: leave it out"));
        }
        Ok(Self { owned: true, ..self })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub name: String,
    pub kind: Kind,
    /// Whether it may be left out, or null.
    pub optional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Decimal,
    Boolean,
    Date,
    Timestamp,
    Uuid,
    Json,
}

impl Kind {
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
                return Err(format!("the field {} is there twice", field.name));
            }
            fields.push(field);
        }
        if fields.is_empty() {
            return Err("a resource has at least one field, such as `name:text`".into());
        }
        Ok(Self { fields, owned: false })
    }
}

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, kind)) = text.split_once(':') else {
            return Err(format!("the field `{text}` has no type: write it as `name:text`"));
        };
        let (kind, optional) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
        let Some(kind) = Kind::ALL.into_iter().find(|known| known.as_str() == kind) else {
            let known = Kind::ALL.map(Kind::as_str).join(", ");
            return Err(format!(
                "the field {name} has the type `{kind}`: there are {known}, each with `?` if optional"
            ));
        };
        if !words::are_joined_by(name, '_') {
            let form = "a field is lower-case words with underscores between them, such as `price_cents`";
            return Err(format!("a field has the name `{name}`: {form}"));
        }
        if name.len() > LONGEST {
            return Err(format!("the name of the field {name} has more than {LONGEST} characters"));
        }
        if RESERVED.contains(&name) {
            return Err(format!("every resource has the field {name} already: leave it out"));
        }
        if let Some(owner) = words::owner(name) {
            return Err(format!("the field {name} is a word of {owner}: take another name"));
        }
        Ok(Self { name: name.into(), kind, optional })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_names_and_types_and_may_be_optional() {
        let resource: Resource = " name:text  price_cents:integer note:text?".parse().unwrap();
        let field = |name: &str, kind, optional| Field { name: name.into(), kind, optional };
        let expected = [
            field("name", Kind::Text, false),
            field("price_cents", Kind::Integer, false),
            field("note", Kind::Text, true),
        ];
        assert_eq!(resource.fields, expected);
    }

    #[test]
    fn what_is_no_resource_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "at least one field"),
            ("name", "has no type"),
            ("name:", "there are text, integer"),
            (
                "name:float",
                "the field name has the type `float`: there are text, integer, decimal, boolean, date, timestamp, uuid, \
                 json, each with `?` if optional",
            ),
            ("name:text??", "has the type `text?`"),
            ("name:text:integer", "has the type `text:integer`"),
            (":text", "a field has the name ``"),
            ("Name:text", "lower-case words"),
            ("a__b:text", "lower-case words"),
            ("_a:text", "lower-case words"),
            ("price-cents:integer", "lower-case words"),
            ("1a:text", "lower-case words"),
            ("name:text name:integer", "the field name is there twice"),
            ("id:uuid", "has the field id already"),
            ("created_at:timestamp", "already"),
            ("updated_at:timestamp", "already"),
            ("version:integer", "already"),
            ("type:text", "a word of Rust"),
            ("order:integer", "a word of SQL"),
            (&format!("{}:text", "a".repeat(64)), "more than 63"),
        ] {
            let refused = text.parse::<Resource>().unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }

    #[test]
    fn an_owner_is_no_field_of_its_own() {
        let resource: Resource = "user_id:uuid".parse().unwrap();
        assert!(!resource.owned);
        assert!(resource.owned().unwrap_err().contains("the field user_id already"));
        let resource: Resource = "owner:uuid".parse().unwrap();
        assert!(resource.owned().unwrap().owned);
    }
}
