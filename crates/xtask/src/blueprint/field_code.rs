//! What a field is in the generated code and SQL.

use serde::Serialize;

use super::resource::{Field, Kind};

/// How many columns further lines of SQL have.
const WIDTH: usize = 88;

/// A field in Rust.
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

/// The fields in SQL.
#[derive(Debug, Serialize)]
pub(super) struct Sql {
    /// The lines that declare them.
    columns: Vec<String>,
    /// All of them, to be selected.
    selected: String,
    insert: Insert,
    update: Update,
}

#[derive(Debug, Serialize)]
struct Insert {
    columns: String,
    values: String,
}

#[derive(Debug, Serialize)]
struct Update {
    set: String,
    /// The placeholders of the id and of the version.
    id: String,
    version: String,
}

impl Sql {
    pub fn of(table: &str, fields: &[Field], changes: bool) -> Self {
        let names = fields.iter().map(|field| &*field.name);
        let times = ["created_at", "updated_at"].into_iter().take(if changes { 2 } else { 1 });
        let written: Vec<&str> = ["id"].into_iter().chain(names).chain(times).collect();
        let all: Vec<&str> = written.iter().copied().chain(changes.then_some("version")).collect();
        let now = fields.len() + 2;
        let values = (1..=written.len()).map(|at| format!("${}", at.min(now)));

        let mut next = 0;
        let mut placeholder = || {
            next += 1;
            format!("${next}")
        };
        let mut set: Vec<String> = Vec::new();
        for Field { name, optional, .. } in fields {
            set.push(match optional {
                true => format!("{name} = CASE {} WHEN 1 THEN {} ELSE {name} END", placeholder(), placeholder()),
                false => format!("{name} = COALESCE({}, {name})", placeholder()),
            });
        }
        set.push(format!("updated_at = {}", placeholder()));
        set.push("version = version + 1".into());

        Self {
            columns: columns(fields, &all),
            selected: wrapped(0, all.iter().map(|name| (*name).to_owned())),
            insert: Insert {
                columns: wrapped(table.len() + 8, written.iter().map(|name| (*name).to_owned())),
                values: wrapped(0, values),
            },
            update: Update { set: wrapped(0, set), id: placeholder(), version: placeholder() },
        }
    }
}

fn columns(fields: &[Field], all: &[&str]) -> Vec<String> {
    let width = all.iter().map(|name| name.len()).max().unwrap_or_default();
    let declared = all.iter().map(|name| {
        let field = fields.iter().find(|field| field.name == *name);
        let null = if field.is_some_and(|field| field.optional) { "" } else { " NOT NULL" };
        let rest = match field.map(|field| field.kind) {
            None if *name == "version" => "BIGINT NOT NULL DEFAULT 1".into(),
            None if *name == "id" => "TEXT COLLATE \"binary\" NOT NULL PRIMARY KEY".into(),
            Some(Kind::Integer) => format!("BIGINT{null}"),
            Some(Kind::Boolean) => format!("BIGINT{null} CHECK ({name} IN (0, 1))"),
            _ => format!("TEXT{null}"),
        };
        format!("{name:<width$} {rest}")
    });
    declared.collect()
}

/// The parts with commas between them, on as many lines as they need, each as far in as the SQL of the templates; of the
/// first line so many columns are taken.
fn wrapped(taken: usize, parts: impl IntoIterator<Item = String>) -> String {
    let (mut text, mut column) = (String::new(), taken);
    for part in parts {
        if !text.is_empty() {
            text.push(',');
            column += 2;
            if column + part.len() > WIDTH {
                text.push_str(&format!("\n{:22}", ""));
                column = 0;
            }
            text.push(' ');
        }
        column += part.len();
        text.push_str(&part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(resource: &str) -> Sql {
        let resource: super::super::resource::Resource = resource.parse().unwrap();
        Sql::of("stock", &resource.fields, true)
    }

    #[test]
    fn columns_are_declared_as_both_databases_have_them() {
        let expected = [
            "id         TEXT COLLATE \"binary\" NOT NULL PRIMARY KEY",
            "name       TEXT NOT NULL",
            "count      BIGINT",
            "active     BIGINT NOT NULL CHECK (active IN (0, 1))",
            "due_at     TEXT NOT NULL",
            "owner      TEXT",
            "created_at TEXT NOT NULL",
            "updated_at TEXT NOT NULL",
            "version    BIGINT NOT NULL DEFAULT 1",
        ];
        assert_eq!(sql("name:text count:integer? active:boolean due_at:timestamp owner:uuid?").columns, expected);
    }

    #[test]
    fn placeholders_are_counted_over_all_fields() {
        let sql = sql("name:text note:text? count:integer");
        assert_eq!(sql.insert.columns, "id, name, note, count, created_at, updated_at");
        assert_eq!(sql.insert.values, "$1, $2, $3, $4, $5, $5");
        let set = "name = COALESCE($1, name), note = CASE $2 WHEN 1 THEN $3 ELSE note END,\n                       \
                   count = COALESCE($4, count), updated_at = $5, version = version + 1";
        assert_eq!((&*sql.update.set, &*sql.update.id, &*sql.update.version), (set, "$6", "$7"));
    }
}
