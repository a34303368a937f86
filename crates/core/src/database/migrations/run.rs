//! Runs migrations, in one process at a time: the callers hold the database's lock.
//!
//! The history of builds that used sqlx is converted, and its table is dropped.

use refinery::error::Kind;
use refinery::{Runner, Target};
use rusqlite::Connection;

use super::embedded::{NamedMigrations, Program};
use super::errors::{changed_migration, missing_migration, written_by_newer};
use super::history::{FIND_WRITER, HistoryTables};
use super::status::BlueprintMigrations;
use crate::database::error::DatabaseError;

const CREATE_WRITERS: &str = "CREATE TABLE IF NOT EXISTS schema_writers (
    blueprint TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    program TEXT NOT NULL
)";
const RECORD_WRITER: &str = "INSERT INTO schema_writers (blueprint, version, program) VALUES ($1, $2, $3)
    ON CONFLICT (blueprint) DO UPDATE SET version = excluded.version, program = excluded.program";
fn newest(runner: &Runner) -> i64 {
    runner.get_migrations().iter().map(|it| i64::from(it.version())).max().unwrap_or_default()
}

/// Migrates a SQLite database; the caller holds the lock that excludes other processes. Returns the migrations that ran.
pub(in crate::database) fn run_on_sqlite(
    connection: &mut Connection,
    migrations: Vec<NamedMigrations>,
    program: Program,
) -> Result<Vec<BlueprintMigrations>, DatabaseError> {
    let sql_failed =
        |error: rusqlite::Error| DatabaseError::OpenFailed(format!("the migrations failed: {error}").into());
    connection.execute_batch(CREATE_WRITERS).map_err(sql_failed)?;
    // A migration that rebuilds a table drops it temporarily; with foreign keys enabled that would delete referring rows.
    connection.execute_batch("PRAGMA foreign_keys = OFF").map_err(sql_failed)?;
    let mut all_applied = Vec::new();
    for (blueprint, migrations) in migrations {
        let tables = HistoryTables::new(&blueprint);
        let runner = tables.runner(migrations.sqlite());
        let failed = |error: refinery::Error, writer| migration_error(&blueprint, program, &runner, &error, writer);
        let has_legacy = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1";
        let has_legacy =
            connection.query_row(has_legacy, [&tables.legacy], |row| row.get::<_, i64>(0)).map_err(sql_failed)?;
        if has_legacy > 0 {
            let version: Option<i64> =
                connection.query_row(&tables.legacy_version(), [], |row| row.get(0)).map_err(sql_failed)?;
            if let Some(target) = fake_target(version) {
                tables
                    .runner(migrations.sqlite())
                    .set_target(target)
                    .run(connection)
                    .map_err(|error| failed(error, None))?;
            }
            connection.execute_batch(&format!("DROP TABLE {}", tables.legacy)).map_err(sql_failed)?;
        }
        let applied = match runner.run(connection) {
            Ok(report) => report.applied_migrations().clone(),
            Err(error) => {
                let writer = connection.query_row(FIND_WRITER, [&blueprint], |row| row.get::<_, String>(0));
                return Err(failed(error, writer.ok()));
            }
        };
        if !applied.is_empty() {
            let values = (&blueprint, newest(&runner), program.to_string());
            connection.execute(RECORD_WRITER, values).map_err(sql_failed)?;
            all_applied.push(BlueprintMigrations::applied(blueprint, &applied, program));
        }
    }
    let broken = connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get::<_, i64>(0));
    if broken.map_err(sql_failed)? > 0 {
        return Err(DatabaseError::OpenFailed(
            "the migrations left dangling foreign keys (PRAGMA foreign_key_check)".to_owned().into(),
        ));
    }
    connection.execute_batch("PRAGMA foreign_keys = ON").map_err(sql_failed)?;
    Ok(all_applied)
}

/// Migrates a PostgreSQL database; the connection holds the lock that excludes other processes. Returns the migrations that
/// ran.
pub(in crate::database) async fn run_on_postgres(
    client: &mut tokio_postgres::Client,
    migrations: Vec<NamedMigrations>,
    program: Program,
) -> Result<Vec<BlueprintMigrations>, MigrationFailure> {
    client.batch_execute(CREATE_WRITERS).await?;
    let mut all_applied = Vec::new();
    for (blueprint, migrations) in migrations {
        let tables = HistoryTables::new(&blueprint);
        let runner = tables.runner(migrations.postgres());
        let failed =
            |error: refinery::Error, writer| MigrationFailure::new(&blueprint, program, &runner, error, writer);
        let has_legacy = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&tables.legacy]).await?;
        if has_legacy.get(0) {
            let version: Option<i64> = client.query_one(&tables.legacy_version(), &[]).await?.get(0);
            if let Some(target) = fake_target(version) {
                tables
                    .runner(migrations.postgres())
                    .set_target(target)
                    .run_async(client)
                    .await
                    .map_err(|error| failed(error, None))?;
            }
            client.batch_execute(&format!("DROP TABLE {}", tables.legacy)).await?;
        }
        let applied = match runner.run_async(client).await {
            Ok(report) => report.applied_migrations().clone(),
            Err(error) => {
                // If the connection is lost as well, the error of the migration is reported.
                let writer = client.query_opt(FIND_WRITER, &[&blueprint]).await.ok().flatten();
                return Err(failed(error, writer.map(|row| row.get(0))));
            }
        };
        if !applied.is_empty() {
            client.execute(RECORD_WRITER, &[&blueprint, &newest(&runner), &program.to_string()]).await?;
            all_applied.push(BlueprintMigrations::applied(blueprint, &applied, program));
        }
    }
    Ok(all_applied)
}

/// Why the migrations failed: an error of the server, which the caller explains, or an error with a complete message.
pub(in crate::database) enum MigrationFailure {
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
        Kind::DivergentVersion(applied, _) => return changed_migration(blueprint, &applied.to_string()),
        Kind::MissingVersion(applied) => return missing_migration(blueprint, &applied.to_string()),
        Kind::Connection(what, cause) => format!("{what}: {cause}"),
        _ => error.to_string(),
    };
    DatabaseError::OpenFailed(format!("the migrations of {blueprint} failed: {reason}").into())
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
    Some(written_by_newer(blueprint, program, &unknown.to_string(), known, writer))
}
