//! What the fields are in the generated SQL.

use serde::Serialize;

use super::resource::{Field, Kind};

/// How many columns further lines of SQL have.
const WIDTH: usize = 88;

/// What the templates ask of all fields together.
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
    use crate::blueprint::resource::Resource;

    fn sql(resource: &str) -> Sql {
        let resource: Resource = resource.parse().unwrap();
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
