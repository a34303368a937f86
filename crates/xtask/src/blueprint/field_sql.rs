//! What the fields are in the generated SQL.

use serde::Serialize;

use super::resource::{Field, Kind, Resource};

/// How many columns further lines of SQL have.
const WIDTH: usize = 92;

/// What the templates need to know of all fields together.
#[derive(Debug, Serialize)]
pub(super) struct Sql {
    sqlite: Vec<Column>,
    postgres: Vec<Column>,
    /// All columns that are read.
    selected: String,
    insert: Insert,
    update: Update,
}

#[derive(Debug, Serialize)]
struct Column {
    declared: String,
    comment: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Insert {
    columns: String,
    values: String,
}

#[derive(Debug, Serialize)]
struct Update {
    set: String,
    /// The placeholders of the row's id, its owner and its version.
    id: String,
    owner: String,
    version: String,
}

impl Sql {
    /// The SQL of a resource, or, when its rows never change, of what can be inserted and read.
    pub fn of(table: &str, resource: &Resource, changes: bool) -> Self {
        let names = resource.fields.iter().map(|field| &*field.name);
        let times = ["created_at", "updated_at"].into_iter().take(if changes { 2 } else { 1 });
        let owner = resource.owned.then_some("user_id");
        let written: Vec<&str> = ["id"].into_iter().chain(owner).chain(names).chain(times).collect();
        let all: Vec<&str> = written.iter().copied().chain(changes.then_some("version")).collect();
        let selected = all.iter().filter(|name| Some(**name) != owner);
        // Both times of a new row are the same.
        let now = written.len() - usize::from(changes);
        let values = (1..=written.len()).map(|at| format!("${}", at.min(now)));

        let mut next = 0;
        let mut placeholder = || {
            next += 1;
            format!("${next}")
        };
        let mut set: Vec<String> = Vec::new();
        for Field { name, optional, .. } in &resource.fields {
            set.push(match optional {
                true => format!("{name} = CASE WHEN {} THEN {} ELSE {name} END", placeholder(), placeholder()),
                false => format!("{name} = COALESCE({}, {name})", placeholder()),
            });
        }
        set.push(format!("updated_at = {}", placeholder()));
        set.push("version = version + 1".into());
        let id = placeholder();
        let owner = if resource.owned { placeholder() } else { String::new() };

        Self {
            sqlite: columns(&resource.fields, &all, sqlite),
            postgres: columns(&resource.fields, &all, postgres),
            selected: wrapped(0, selected.map(|name| (*name).to_owned())),
            insert: Insert {
                columns: wrapped(table.len() + 8, written.iter().map(|name| (*name).to_owned())),
                values: wrapped(0, values),
            },
            update: Update { set: wrapped(0, set), id, owner, version: placeholder() },
        }
    }
}

fn columns(fields: &[Field], all: &[&str], typed: fn(Kind) -> &'static str) -> Vec<Column> {
    let width = all.iter().map(|name| name.len()).max().unwrap_or_default();
    let declared = all.iter().map(|name| {
        let field = fields.iter().find(|field| field.name == *name);
        let own = match *name {
            "id" | "user_id" => Kind::Uuid,
            "version" => Kind::Integer,
            _ => Kind::Timestamp,
        };
        let mut rest = typed(field.map_or(own, |field| field.kind)).to_owned();
        if field.is_none_or(|field| !field.optional) {
            rest += " NOT NULL";
        }
        match (*name, field) {
            ("id", None) => rest += " PRIMARY KEY",
            ("version", None) => rest += " DEFAULT 1",
            (_, Some(Field { kind: Kind::Boolean, .. })) if rest.starts_with("INTEGER") => {
                rest += &format!(" CHECK ({name} IN (0, 1))");
            }
            _ => {}
        }
        let comment = match *name {
            "user_id" if field.is_none() => {
                Some("The user whose row it is. No foreign key: this blueprint does not know where users live.")
            }
            "version" => Some("Counts the changes of a row: its entity tag is made of it."),
            _ => None,
        };
        Column { declared: format!("{name:<width$} {rest}"), comment }
    });
    declared.collect()
}

/// The types that `cyanotype::ToSql` writes and `cyanotype::FromSql` reads.
const fn sqlite(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer | Kind::Boolean => "INTEGER",
        Kind::Uuid => "BLOB",
        Kind::Text | Kind::Decimal | Kind::Date | Kind::Timestamp | Kind::Json => "TEXT",
    }
}

const fn postgres(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Integer => "bigint",
        Kind::Decimal => "numeric",
        Kind::Boolean => "boolean",
        Kind::Date => "date",
        Kind::Timestamp => "timestamptz",
        Kind::Uuid => "uuid",
        Kind::Json => "jsonb",
    }
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
                text.push_str(&format!("\n{:18}", ""));
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
        Sql::of("stock", &resource.parse().unwrap(), true)
    }

    fn declared(columns: &[Column]) -> Vec<&str> {
        columns.iter().map(|column| &*column.declared).collect()
    }

    #[test]
    fn columns_have_the_types_of_each_database() {
        let fields =
            "name:text count:integer? price:decimal active:boolean day:date? due_at:timestamp owner:uuid? data:json";
        let sqlite = [
            "id         BLOB NOT NULL PRIMARY KEY",
            "name       TEXT NOT NULL",
            "count      INTEGER",
            "price      TEXT NOT NULL",
            "active     INTEGER NOT NULL CHECK (active IN (0, 1))",
            "day        TEXT",
            "due_at     TEXT NOT NULL",
            "owner      BLOB",
            "data       TEXT NOT NULL",
            "created_at TEXT NOT NULL",
            "updated_at TEXT NOT NULL",
            "version    INTEGER NOT NULL DEFAULT 1",
        ];
        let postgres = [
            "id         uuid NOT NULL PRIMARY KEY",
            "name       text NOT NULL",
            "count      bigint",
            "price      numeric NOT NULL",
            "active     boolean NOT NULL",
            "day        date",
            "due_at     timestamptz NOT NULL",
            "owner      uuid",
            "data       jsonb NOT NULL",
            "created_at timestamptz NOT NULL",
            "updated_at timestamptz NOT NULL",
            "version    bigint NOT NULL DEFAULT 1",
        ];
        let sql = sql(fields);
        assert_eq!((declared(&sql.sqlite), declared(&sql.postgres)), (sqlite.to_vec(), postgres.to_vec()));
    }

    #[test]
    fn placeholders_are_counted_over_all_fields() {
        let sql = sql("name:text note:text? count:integer");
        assert_eq!(sql.insert.columns, "id, name, note, count, created_at, updated_at");
        assert_eq!(sql.insert.values, "$1, $2, $3, $4, $5, $5");
        let set = "name = COALESCE($1, name), note = CASE WHEN $2 THEN $3 ELSE note END,\n                   \
                   count = COALESCE($4, count), updated_at = $5, version = version + 1";
        assert_eq!((&*sql.update.set, &*sql.update.id, &*sql.update.version), (set, "$6", "$7"));
    }

    #[test]
    fn an_owner_is_written_and_compared_and_not_read() {
        let resource: Resource = "name:text".parse().unwrap();
        let sql = Sql::of("stock", &resource.owned().unwrap(), true);
        assert_eq!(sql.insert.columns, "id, user_id, name, created_at, updated_at");
        assert_eq!(sql.insert.values, "$1, $2, $3, $4, $4");
        assert_eq!(sql.selected, "id, name, created_at, updated_at, version");
        let Update { id, owner, version, .. } = sql.update;
        assert_eq!((&*id, &*owner, &*version), ("$3", "$4", "$5"));
        assert_eq!(declared(&sql.postgres)[1], "user_id    uuid NOT NULL");
    }

    #[test]
    fn rows_that_never_change_have_no_version() {
        let resource: Resource = "name:text".parse().unwrap();
        let sql = Sql::of("stock", &resource, false);
        assert_eq!((&*sql.insert.columns, &*sql.insert.values), ("id, name, created_at", "$1, $2, $3"));
        assert_eq!(sql.selected, "id, name, created_at");
    }
}
