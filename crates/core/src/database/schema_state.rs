//! How the schema of a database compares with the migrations of this program.

use refinery::Migration;

/// The schema of one blueprint, or of the framework, whose name is `cyanotype`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SchemaState {
    pub blueprint: String,
    /// Migrations of this program that have not run, such as `V2__add_total`.
    pub pending: Vec<String>,
    /// Applied migrations that this program does not contain: a newer version has run them.
    pub newer: Vec<String>,
    /// Applied migrations whose file was changed afterwards.
    pub changed: Vec<String>,
    /// The program that last changed the schema, such as `app 0.2.0`.
    pub writer: Option<String>,
}

/// What the database has stored about one blueprint.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Version, name and checksum of each applied migration.
    pub applied: Vec<(i32, String, String)>,
    /// The last version in the table of version 0.1, which is not converted yet.
    pub legacy: Option<i64>,
    pub writer: Option<String>,
}

impl SchemaState {
    /// Compares the migrations with the history; without migrations, only the name is known.
    pub(super) fn compare(blueprint: &str, migrations: &[Migration], history: History) -> Self {
        let History { applied, legacy, writer } = history;
        let known = migrations.iter().map(|it| i64::from(it.version())).max().unwrap_or_default();
        let find = |version: i64| applied.iter().find(|(applied, ..)| i64::from(*applied) == version);
        let is_pending = |it: &&Migration| {
            let version = i64::from(it.version());
            find(version).is_none() && legacy.is_none_or(|legacy| version > legacy)
        };
        let differs = |it: &&Migration| {
            find(i64::from(it.version()))
                .is_some_and(|(_, name, checksum)| name != it.name() || *checksum != it.checksum().to_string())
        };
        let mut pending: Vec<&Migration> = migrations.iter().filter(is_pending).collect();
        pending.sort_by_key(|it| it.version());
        let newer = applied.iter().filter(|(version, ..)| i64::from(*version) > known);
        Self {
            blueprint: blueprint.to_owned(),
            pending: pending.into_iter().map(ToString::to_string).collect(),
            newer: newer.map(|(version, name, _)| format!("V{version}__{name}")).collect(),
            changed: migrations.iter().filter(differs).map(ToString::to_string).collect(),
            writer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migrations() -> Vec<Migration> {
        [("V1__first", "CREATE TABLE a (b)"), ("V2__second", "CREATE TABLE b (c)")]
            .map(|(name, sql)| Migration::unapplied(name, sql).expect("a name of a migration"))
            .to_vec()
    }

    fn row(migration: &Migration) -> (i32, String, String) {
        (migration.version(), migration.name().to_owned(), migration.checksum().to_string())
    }

    fn compare(history: History) -> [Vec<String>; 3] {
        let SchemaState { pending, newer, changed, .. } = SchemaState::compare("orders", &migrations(), history);
        [pending, newer, changed]
    }

    #[test]
    fn migrations_are_pending_newer_or_changed() {
        let all: Vec<_> = migrations().iter().map(row).collect();
        let none: [Vec<String>; 3] = Default::default();
        assert_eq!(compare(History { applied: all.clone(), ..History::default() }), none);
        let [pending, ..] = compare(History::default());
        assert_eq!(pending, ["V1__first", "V2__second"]);
        let [pending, ..] = compare(History { legacy: Some(1), ..History::default() });
        assert_eq!(pending, ["V2__second"]);
        let future = [all.clone(), vec![(3, "third".into(), "1".into())]].concat();
        assert_eq!(compare(History { applied: future, ..History::default() })[1], ["V3__third"]);
        let mut other = all;
        other[0].2 = "1".into();
        assert_eq!(compare(History { applied: other, ..History::default() })[2], ["V1__first"]);
    }
}
