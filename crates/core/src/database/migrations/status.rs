//! The state of a database's migrations: which ones have run, and which ones this program adds or lacks. Only reads.

use std::fmt::Write as _;

use refinery::Migration;
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use super::embedded::{Migrations, NamedMigrations, Program};
use super::errors::{changed_migration, written_by_newer};
use super::history::{FIND_WRITER, HistoryTables};
use crate::database::error::DatabaseError;

/// The migrations of one blueprint; those of the framework's own tables have the name `cyanotype`.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct BlueprintMigrations {
    /// Name of the blueprint.
    pub blueprint: String,
    /// Its migrations, by version.
    pub migrations: Vec<MigrationInfo>,
    /// The program that last migrated these tables, with its version, such as `app 1.2.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_by: Option<String>,
}

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MigrationInfo {
    /// Its number.
    pub version: i64,
    /// Its name, from the name of its file.
    pub name: String,
    /// Whether it has run.
    pub state: MigrationState,
    /// When it ran (RFC 3339), if that is known.
    pub applied_at: Option<String>,
}

/// The state of a migration in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MigrationState {
    /// It has run.
    Applied,
    /// It has not run yet.
    Pending,
    /// It has run, and this program does not contain it: another version of the program ran it.
    Newer,
    /// It has run with another content than this program contains.
    Changed,
}

impl MigrationState {
    /// The state's name, as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::Newer => "newer",
            Self::Changed => "changed",
        }
    }
}

impl BlueprintMigrations {
    /// The migrations in this state.
    pub fn in_state(&self, state: MigrationState) -> impl Iterator<Item = &MigrationInfo> {
        self.migrations.iter().filter(move |it| it.state == state)
    }

    /// Migrations that have just run.
    pub(super) fn applied(blueprint: String, migrations: &[Migration], program: Program) -> Self {
        let migrations = migrations.iter().map(|it| info(it, MigrationState::Applied, None)).collect();
        Self { blueprint, migrations, written_by: Some(program.to_string()) }
    }
}

/// A row of a history table.
struct AppliedRow {
    version: i64,
    name: String,
    applied_at: Option<String>,
    checksum: Option<String>,
}

/// What the database contains of one blueprint's history.
#[derive(Default)]
struct History {
    rows: Vec<AppliedRow>,
    /// The newest version in the table of builds that used sqlx, which has no names or checksums.
    legacy_version: Option<i64>,
    written_by: Option<String>,
}

impl History {
    fn compare(self, blueprint: String, known: &[Migration]) -> BlueprintMigrations {
        let legacy_version = self.legacy_version.unwrap_or_default();
        let mut migrations: Vec<MigrationInfo> = known
            .iter()
            .map(|migration| {
                let version = i64::from(migration.version());
                match self.rows.iter().find(|row| row.version == version) {
                    Some(row) if row.is(migration) => info(migration, MigrationState::Applied, row.applied_at.clone()),
                    Some(row) => info(migration, MigrationState::Changed, row.applied_at.clone()),
                    None if version <= legacy_version => info(migration, MigrationState::Applied, None),
                    None => info(migration, MigrationState::Pending, None),
                }
            })
            .collect();
        let is_known = |row: &AppliedRow| known.iter().any(|it| i64::from(it.version()) == row.version);
        migrations.extend(self.rows.iter().filter(|row| !is_known(row)).map(|row| MigrationInfo {
            version: row.version,
            name: row.name.clone(),
            state: MigrationState::Newer,
            applied_at: row.applied_at.clone(),
        }));
        migrations.sort_by_key(|it| it.version);
        BlueprintMigrations { blueprint, migrations, written_by: self.written_by }
    }
}

impl AppliedRow {
    fn is(&self, migration: &Migration) -> bool {
        self.name == migration.name() && self.checksum.as_deref() == Some(&migration.checksum().to_string())
    }
}

fn info(migration: &Migration, state: MigrationState, applied_at: Option<String>) -> MigrationInfo {
    let (version, name) = (i64::from(migration.version()), migration.name().to_owned());
    MigrationInfo { version, name, state, applied_at }
}

/// The state if the database does not exist yet.
pub(in crate::database) fn of_missing_sqlite(migrations: Vec<NamedMigrations>) -> Vec<BlueprintMigrations> {
    migrations.into_iter().map(|(name, it)| History::default().compare(name, it.sqlite())).collect()
}

pub(in crate::database) fn on_sqlite(
    connection: &Connection,
    migrations: Vec<NamedMigrations>,
) -> rusqlite::Result<Vec<BlueprintMigrations>> {
    let exists = |table: &str| {
        let sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1";
        connection.query_row(sql, [table], |row| Ok(row.get::<_, i64>(0)? > 0))
    };
    let has_writers = exists("schema_writers")?;
    let read = |(blueprint, migrations): (String, Migrations)| {
        let tables = HistoryTables::new(&blueprint);
        let mut history = History::default();
        if exists(&tables.history)? {
            let mut statement = connection.prepare(&tables.rows())?;
            let rows = statement.query_map([], |row| {
                let (version, name) = (row.get(0)?, row.get(1)?);
                Ok(AppliedRow { version, name, applied_at: row.get(2)?, checksum: row.get(3)? })
            })?;
            history.rows = rows.collect::<rusqlite::Result<_>>()?;
        }
        if exists(&tables.legacy)? {
            history.legacy_version = connection.query_row(&tables.legacy_version(), [], |row| row.get(0))?;
        }
        if has_writers {
            history.written_by = connection.query_row(FIND_WRITER, [&blueprint], |row| row.get(0)).optional()?;
        }
        Ok(history.compare(blueprint, migrations.sqlite()))
    };
    migrations.into_iter().map(read).collect()
}

pub(in crate::database) async fn on_postgres(
    client: &tokio_postgres::Client,
    migrations: Vec<NamedMigrations>,
) -> Result<Vec<BlueprintMigrations>, tokio_postgres::Error> {
    let exists = async |table: &str| -> Result<bool, tokio_postgres::Error> {
        Ok(client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await?.get(0))
    };
    let has_writers = exists("schema_writers").await?;
    let mut all = Vec::new();
    for (blueprint, migrations) in migrations {
        let tables = HistoryTables::new(&blueprint);
        let mut history = History::default();
        if exists(&tables.history).await? {
            for row in client.query(&tables.rows(), &[]).await? {
                let (version, name) = (i64::from(row.try_get::<_, i32>(0)?), row.try_get(1)?);
                let (applied_at, checksum) = (row.try_get(2)?, row.try_get(3)?);
                history.rows.push(AppliedRow { version, name, applied_at, checksum });
            }
        }
        if exists(&tables.legacy).await? {
            history.legacy_version = client.query_one(&tables.legacy_version(), &[]).await?.get(0);
        }
        if has_writers {
            history.written_by = client.query_opt(FIND_WRITER, &[&blueprint]).await?.map(|row| row.get(0));
        }
        all.push(history.compare(blueprint, migrations.postgres()));
    }
    Ok(all)
}

/// Refuses a schema that is not exactly that of this program.
pub(in crate::database) fn require_current(all: &[BlueprintMigrations], program: Program) -> Result<(), DatabaseError> {
    let mut pending = String::new();
    for it in all {
        if let Some(newer) = it.in_state(MigrationState::Newer).next() {
            let unknown = format!("V{}__{}", newer.version, newer.name);
            let known = it.migrations.iter().filter(|it| it.state != MigrationState::Newer).map(|it| it.version).max();
            let known = known.unwrap_or_default();
            return Err(written_by_newer(&it.blueprint, program, &unknown, known, it.written_by.clone()));
        }
        if let Some(changed) = it.in_state(MigrationState::Changed).next() {
            let name = format!("V{}__{}", changed.version, changed.name);
            return Err(changed_migration(&it.blueprint, &name));
        }
        let versions: Vec<String> = it.in_state(MigrationState::Pending).map(|it| format!("V{}", it.version)).collect();
        if !versions.is_empty() {
            let separator = if pending.is_empty() { "" } else { "; " };
            // Writing to a string cannot fail.
            let _ = write!(pending, "{separator}{} {}", it.blueprint, versions.join(", "));
        }
    }
    if pending.is_empty() {
        return Ok(());
    }
    Err(DatabaseError::MigrationsPending(format!(
        "migrations are pending ({pending}), and database.migrate_at_start is false: run `{} db migrate` with the same \
         settings, then start again",
        program.name
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program = Program { name: "app", version: "1" };

    fn known() -> Vec<Migration> {
        let migration = |name: &str| Migration::unapplied(name, "SELECT 1").expect("a migration");
        vec![migration("V1__first"), migration("V2__second")]
    }

    fn row(migration: &Migration) -> AppliedRow {
        let (version, name) = (i64::from(migration.version()), migration.name().to_owned());
        AppliedRow { version, name, applied_at: None, checksum: Some(migration.checksum().to_string()) }
    }

    fn states(history: History) -> (Vec<&'static str>, Result<(), String>) {
        let compared = history.compare("orders".into(), &known());
        let states = compared.migrations.iter().map(|it| it.state.as_str()).collect();
        (states, require_current(&[compared], PROGRAM).map_err(|error| error.to_string()))
    }

    #[test]
    fn each_migration_has_a_state() {
        let [first, second] = [0, 1].map(|at| row(&known()[at]));
        let (pending, refused) = states(History { rows: vec![row(&known()[0])], ..History::default() });
        assert_eq!(pending, ["applied", "pending"]);
        assert!(refused.is_err_and(|why| why.contains("(orders V2)") && why.contains("`app db migrate`")));

        let unknown = AppliedRow { version: 3, name: "third".into(), applied_at: None, checksum: None };
        let written_by = Some("app 2".to_owned());
        let (newer, refused) = states(History { rows: vec![first, second, unknown], written_by, ..History::default() });
        assert_eq!(newer, ["applied", "applied", "newer"]);
        assert!(refused.is_err_and(|why| why.contains("written by app 2 (migration V3__third)") && why.contains("V2")));

        let changed = AppliedRow { checksum: Some("7".into()), ..row(&known()[1]) };
        let (changed, refused) = states(History { rows: vec![row(&known()[0]), changed], ..History::default() });
        assert_eq!(changed, ["applied", "changed"]);
        assert!(refused.is_err_and(|why| why.contains("V2__second was changed after it had run")));

        let (legacy, _) = states(History { legacy_version: Some(1), ..History::default() });
        assert_eq!(legacy, ["applied", "pending"]);
        let (current, refused) = states(History { rows: known().iter().map(row).collect(), ..History::default() });
        assert_eq!((current, refused), (vec!["applied"; 2], Ok(())));
    }
}
