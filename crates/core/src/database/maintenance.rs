//! An operator's work on the database, apart from the service: migrations and backups.

use std::path::Path;

use super::engine::{Engine, not_a_url};
use super::error::{DatabaseError, Result};
use super::migrations::{BlueprintMigrations, Migrations, Program, with_framework};
use super::options::Options;
use super::postgres::{self, Postgres};
use super::sqlite::{self, Backup, BackupError, BackupProgress, BackupStop, Sqlite, SqliteUrl};

/// Runs the pending migrations, in one process at a time; returns those that ran.
pub(crate) async fn migrate(
    options: &Options,
    migrations: impl IntoIterator<Item = (&'static str, Migrations)>,
    program: Program,
) -> Result<Vec<BlueprintMigrations>> {
    let migrations = with_framework(migrations);
    match engine(options)? {
        Engine::Sqlite => Sqlite::migrate(options, migrations, program).await,
        Engine::Postgres => Postgres::migrate(options, migrations, program).await,
    }
}

/// The state of each migration; changes nothing.
pub(crate) async fn migration_status(
    options: &Options,
    migrations: impl IntoIterator<Item = (&'static str, Migrations)>,
) -> Result<Vec<BlueprintMigrations>> {
    let migrations = with_framework(migrations);
    match engine(options)? {
        Engine::Sqlite => Sqlite::migration_status(options, migrations).await,
        Engine::Postgres => Postgres::migration_status(options, migrations).await,
    }
}

/// Writes a copy of a SQLite database to a new file. Blocks.
pub(crate) fn back_up(
    url: &str,
    file: &Path,
    stop: &BackupStop,
    progress: &mut dyn FnMut(BackupProgress),
) -> std::result::Result<Backup, BackupError> {
    match Engine::of(url) {
        Some(Engine::Sqlite) => {
            let parsed =
                SqliteUrl::parse(url).map_err(|why| BackupError::NotAFile(format!("the database URL {why}")))?;
            sqlite::back_up(url, &parsed, file, stop, progress)
        }
        Some(Engine::Postgres) => {
            let address = postgres::address_of(url).map_err(|error| BackupError::NotAFile(error.to_string()))?;
            Err(BackupError::NotAFile(format!(
                "the database is PostgreSQL, which has its own program for backups: \
                 pg_dump --format=custom --file={} --dbname={}",
                shell_quoted(&file.display().to_string()),
                shell_quoted(&address)
            )))
        }
        None => Err(BackupError::NotAFile(not_a_url())),
    }
}

/// The text as one word of a shell's command line.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn engine(options: &Options) -> Result<Engine> {
    Engine::of(&options.url).ok_or_else(|| DatabaseError::OpenFailed(not_a_url().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_a_shell_is_quoted() {
        assert_eq!(shell_quoted("postgres:///a?host=/run/pg&port=1"), "'postgres:///a?host=/run/pg&port=1'");
        assert_eq!(shell_quoted("Ada's $(id) backup"), "'Ada'\\''s $(id) backup'");
    }
}
