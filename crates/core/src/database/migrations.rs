//! Migrations: a directory of SQL files for each engine, which refinery runs at startup, in one process at a time.
//!
//! Each blueprint has its own history, in `_schema_<blueprint>`. `schema_writers` records the program that last changed a
//! schema, for the error message of an older program. Version 0.1 stored the history in `_migrations_<blueprint>`: it is
//! converted, and that table is dropped.

use refinery::error::Kind;
use refinery::{Migration, Runner, Target};
use rusqlite::Connection;

use super::error::DatabaseError;
use super::schema_state::{History, SchemaState};

/// The migrations of a blueprint's tables, for both engines.
///
/// [`embed_migrations!`](crate::embed_migrations) embeds them from the files in `migrations/sqlite` and
/// `migrations/postgres`, named `V1__description.sql`, `V2__…`.
#[derive(Debug, Clone)]
pub struct Migrations {
    sqlite: Vec<Migration>,
    postgres: Vec<Migration>,
}

impl Migrations {
    #[doc(hidden)]
    #[must_use]
    pub fn new(sqlite: &Runner, postgres: &Runner) -> Self {
        Self { sqlite: sqlite.get_migrations().clone(), postgres: postgres.get_migrations().clone() }
    }

    /// Those for SQLite.
    pub(super) fn sqlite(&self) -> &[Migration] {
        &self.sqlite
    }
}

/// Embeds the files in `migrations/sqlite` and `migrations/postgres` of the calling crate, and defines a function
/// `migrations()` that returns [`Migrations`](crate::Migrations). The crate must depend on `refinery`.
#[macro_export]
macro_rules! embed_migrations {
    () => {
        mod embedded_migrations {
            pub(super) mod sqlite {
                ::refinery::embed_migrations!("migrations/sqlite");
            }
            pub(super) mod postgres {
                ::refinery::embed_migrations!("migrations/postgres");
            }
        }

        fn migrations() -> $crate::Migrations {
            $crate::Migrations::new(
                &embedded_migrations::sqlite::migrations::runner(),
                &embedded_migrations::postgres::migrations::runner(),
            )
        }
    };
}

/// Migrations of the framework's tables.
pub(super) mod core {
    mod sqlite {
        refinery::embed_migrations!("migrations/sqlite");
    }
    mod postgres {
        refinery::embed_migrations!("migrations/postgres");
    }

    pub(in crate::database) fn migrations() -> super::Migrations {
        super::Migrations::new(&sqlite::migrations::runner(), &postgres::migrations::runner())
    }
}

/// A blueprint's name and migrations; the framework's name is `cyanotype`.
pub(super) type NamedMigrations = (String, Migrations);

/// The framework's migrations, then those of the blueprints, in the order in which they run.
pub(super) fn with_core(migrations: impl IntoIterator<Item = (&'static str, Migrations)>) -> Vec<NamedMigrations> {
    let own = ("cyanotype", core::migrations());
    std::iter::once(own).chain(migrations).map(|(name, it)| (name.to_owned(), it)).collect()
}

/// The name and version of the program that opens the database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    pub name: &'static str,
    pub version: &'static str,
}

const CREATE_WRITERS: &str = "CREATE TABLE IF NOT EXISTS schema_writers (
    blueprint TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    program TEXT NOT NULL
)";
const RECORD_WRITER: &str = "INSERT INTO schema_writers (blueprint, version, program) VALUES ($1, $2, $3)
    ON CONFLICT (blueprint) DO UPDATE SET version = excluded.version, program = excluded.program";
const FIND_WRITER: &str = "SELECT program FROM schema_writers WHERE blueprint = $1";

/// The tables with the history of one blueprint.
struct HistoryTables {
    /// The current table.
    history: String,
    /// The table of version 0.1.
    legacy: String,
}

impl HistoryTables {
    fn new(blueprint: &str) -> Self {
        let name = blueprint.replace('-', "_");
        Self { history: format!("_schema_{name}"), legacy: format!("_migrations_{name}") }
    }

    fn runner(&self, migrations: &[Migration]) -> Runner {
        let mut runner = Runner::new(migrations);
        runner.set_migration_table_name(&self.history);
        runner
    }

    /// A query for the applied migrations.
    fn applied(&self) -> String {
        format!("SELECT version, name, checksum FROM {} ORDER BY version", self.history)
    }

    /// A query for the last migration that version 0.1 ran.
    fn legacy_version(&self) -> String {
        format!("SELECT max(version) FROM {} WHERE success", self.legacy)
    }
}

/// Reads what a SQLite database has stored about each blueprint; changes nothing.
pub(super) fn states_on_sqlite(
    connection: &Connection,
    migrations: &[NamedMigrations],
) -> Result<Vec<SchemaState>, rusqlite::Error> {
    let exists = |table: &str| {
        let sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1";
        connection.query_row(sql, [table], |row| row.get::<_, i64>(0)).map(|count| count > 0)
    };
    let has_writers = exists("schema_writers")?;
    let state = |(blueprint, migrations): &NamedMigrations| {
        let tables = HistoryTables::new(blueprint);
        let mut history = History::default();
        if exists(&tables.history)? {
            let mut select = connection.prepare(&tables.applied())?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            history.applied = rows.collect::<Result<_, _>>()?;
        }
        if exists(&tables.legacy)? {
            history.legacy = connection.query_row(&tables.legacy_version(), [], |row| row.get(0))?;
        }
        if has_writers {
            history.writer = connection.query_row(FIND_WRITER, [blueprint], |row| row.get(0)).ok();
        }
        Ok(SchemaState::compare(blueprint, &migrations.sqlite, history))
    };
    migrations.iter().map(state).collect()
}

/// The same for PostgreSQL.
pub(super) async fn states_on_postgres(
    client: &tokio_postgres::Client,
    migrations: &[NamedMigrations],
) -> Result<Vec<SchemaState>, tokio_postgres::Error> {
    let exists = async |table: &str| {
        let row = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await?;
        Ok::<bool, tokio_postgres::Error>(row.get(0))
    };
    let has_writers = exists("schema_writers").await?;
    let mut states = Vec::with_capacity(migrations.len());
    for (blueprint, migrations) in migrations {
        let tables = HistoryTables::new(blueprint);
        let mut history = History::default();
        if exists(&tables.history).await? {
            let rows = client.query(&tables.applied(), &[]).await?;
            history.applied = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        }
        if exists(&tables.legacy).await? {
            history.legacy = client.query_one(&tables.legacy_version(), &[]).await?.get(0);
        }
        if has_writers {
            history.writer = client.query_opt(FIND_WRITER, &[blueprint]).await?.map(|row| row.get(0));
        }
        states.push(SchemaState::compare(blueprint, &migrations.postgres, history));
    }
    Ok(states)
}

fn newest(runner: &Runner) -> i64 {
    runner.get_migrations().iter().map(|it| i64::from(it.version())).max().unwrap_or_default()
}

/// Migrates a SQLite database; the caller holds the lock that excludes other processes.
pub(super) fn run_on_sqlite(
    connection: &mut Connection,
    migrations: Vec<NamedMigrations>,
    program: Program,
) -> Result<(), DatabaseError> {
    let sql_failed = |error: rusqlite::Error| DatabaseError::OpenFailed(format!("the migrations failed: {error}"));
    connection.execute_batch(CREATE_WRITERS).map_err(sql_failed)?;
    // A migration that rebuilds a table drops it temporarily; with foreign keys enabled that would delete referring rows.
    connection.execute_batch("PRAGMA foreign_keys = OFF").map_err(sql_failed)?;
    for (blueprint, migrations) in migrations {
        let tables = HistoryTables::new(&blueprint);
        let runner = tables.runner(&migrations.sqlite);
        let failed = |error: refinery::Error, writer| migration_error(&blueprint, program, &runner, &error, writer);
        let has_legacy = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1";
        let has_legacy =
            connection.query_row(has_legacy, [&tables.legacy], |row| row.get::<_, i64>(0)).map_err(sql_failed)?;
        if has_legacy > 0 {
            let version: Option<i64> =
                connection.query_row(&tables.legacy_version(), [], |row| row.get(0)).map_err(sql_failed)?;
            if let Some(target) = fake_target(version) {
                tables
                    .runner(&migrations.sqlite)
                    .set_target(target)
                    .run(connection)
                    .map_err(|error| failed(error, None))?;
            }
            connection.execute_batch(&format!("DROP TABLE {}", tables.legacy)).map_err(sql_failed)?;
        }
        let applied = match runner.run(connection) {
            Ok(report) => !report.applied_migrations().is_empty(),
            Err(error) => {
                let writer = connection.query_row(FIND_WRITER, [&blueprint], |row| row.get::<_, String>(0));
                return Err(failed(error, writer.ok()));
            }
        };
        if applied {
            let values = (&blueprint, newest(&runner), written_by(program));
            connection.execute(RECORD_WRITER, values).map_err(sql_failed)?;
        }
    }
    let broken = connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get::<_, i64>(0));
    if broken.map_err(sql_failed)? > 0 {
        return Err(DatabaseError::OpenFailed(
            "the migrations left dangling foreign keys (PRAGMA foreign_key_check)".into(),
        ));
    }
    connection.execute_batch("PRAGMA foreign_keys = ON").map_err(sql_failed)
}

/// Migrates a PostgreSQL database; the connection holds the lock that excludes other processes.
pub(super) async fn run_on_postgres(
    client: &mut tokio_postgres::Client,
    migrations: Vec<NamedMigrations>,
    program: Program,
) -> Result<(), MigrationFailure> {
    client.batch_execute(CREATE_WRITERS).await?;
    for (blueprint, migrations) in migrations {
        let tables = HistoryTables::new(&blueprint);
        let runner = tables.runner(&migrations.postgres);
        let failed =
            |error: refinery::Error, writer| MigrationFailure::new(&blueprint, program, &runner, error, writer);
        let has_legacy = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&tables.legacy]).await?;
        if has_legacy.get(0) {
            let version: Option<i64> = client.query_one(&tables.legacy_version(), &[]).await?.get(0);
            if let Some(target) = fake_target(version) {
                tables
                    .runner(&migrations.postgres)
                    .set_target(target)
                    .run_async(client)
                    .await
                    .map_err(|error| failed(error, None))?;
            }
            client.batch_execute(&format!("DROP TABLE {}", tables.legacy)).await?;
        }
        let applied = match runner.run_async(client).await {
            Ok(report) => !report.applied_migrations().is_empty(),
            Err(error) => {
                // If the connection is lost as well, the error of the migration is reported.
                let writer = client.query_opt(FIND_WRITER, &[&blueprint]).await.ok().flatten();
                return Err(failed(error, writer.map(|row| row.get(0))));
            }
        };
        if applied {
            client.execute(RECORD_WRITER, &[&blueprint, &newest(&runner), &written_by(program)]).await?;
        }
    }
    Ok(())
}

/// Why the migrations failed: an error of the server, which the caller explains, or an error with a complete message.
pub(super) enum MigrationFailure {
    Server { what: String, error: Box<dyn std::error::Error + Send + Sync> },
    Complete(DatabaseError),
}

impl MigrationFailure {
    fn new(blueprint: &str, program: Program, runner: &Runner, error: refinery::Error, writer: Option<String>) -> Self {
        let what = format!("the migrations of {blueprint} failed");
        match error.kind() {
            Kind::Connection(..) => Self::Server { what, error: error.into() },
            _ => Self::Complete(migration_error(blueprint, program, runner, &error, writer)),
        }
    }
}

impl From<tokio_postgres::Error> for MigrationFailure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server { what: "the migrations failed".into(), error: error.into() }
    }
}

fn fake_target(version: Option<i64>) -> Option<Target> {
    Some(Target::FakeVersion(i32::try_from(version?).ok()?))
}

fn written_by(Program { name, version }: Program) -> String {
    format!("{name} {version}")
}

fn migration_error(
    blueprint: &str,
    program: Program,
    runner: &Runner,
    error: &refinery::Error,
    writer: Option<String>,
) -> DatabaseError {
    if let Some(too_new) = too_new(blueprint, program, runner, error, writer) {
        return too_new;
    }
    let reason = match error.kind() {
        Kind::DivergentVersion(applied, _) => {
            format!("{applied} was changed after it had run: restore the file, and add a new migration instead")
        }
        Kind::Connection(what, cause) => format!("{what}: {cause}"),
        _ => error.to_string(),
    };
    DatabaseError::OpenFailed(format!("the migrations of {blueprint} failed: {reason}"))
}

/// The error for an applied migration that this program does not contain, because a newer version ran it.
fn too_new(
    blueprint: &str,
    program: Program,
    runner: &Runner,
    error: &refinery::Error,
    writer: Option<String>,
) -> Option<DatabaseError> {
    let Kind::MissingVersion(unknown) = error.kind() else { return None };
    let known = newest(runner);
    if i64::from(unknown.version()) <= known {
        return None;
    }
    let writer = writer.unwrap_or_else(|| "a newer version".into());
    Some(DatabaseError::SchemaTooNew(format!(
        "the schema of {blueprint} was written by {writer} (migration {unknown}), and {} supports it only up to V{known}: \
         start that version or a newer one, or restore a backup from before the upgrade",
        written_by(program)
    )))
}
