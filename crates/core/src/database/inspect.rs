//! Looks at a database without changing it: its version, its clock, and which migrations have run.

use std::path::PathBuf;

use jiff::SignedDuration;

use super::engine::{Engine, not_a_url};
use super::error::{DatabaseError, Result};
use super::migrations::{BlueprintMigrations, Migrations, with_framework};
use super::options::Options;
use super::postgres::Postgres;
use super::sqlite::{Sqlite, SqliteUrl};

/// What is known about a database.
#[derive(Debug)]
pub(crate) struct Inspection {
    /// Its address without user and password.
    pub address: String,
    /// The engine and its version.
    pub version: String,
    /// Size in bytes.
    pub size: u64,
    /// Those of the framework, then those of the blueprints.
    pub migrations: Vec<BlueprintMigrations>,
    pub engine: EngineState,
}

/// What only one of the engines has.
#[derive(Debug)]
pub(crate) enum EngineState {
    Sqlite {
        /// `None` in memory.
        file: Option<PathBuf>,
        /// Whether the file exists; nothing else is known of a missing one.
        exists: bool,
        /// Such as `wal`.
        journal_mode: String,
        /// Size of the write-ahead log, in bytes.
        wal_bytes: u64,
    },
    Postgres {
        major_version: u32,
        /// How far the server's clock is ahead of this one; half of the round trip is its uncertainty.
        ahead: SignedDuration,
        /// Whether it rejects writes: a standby, or a default of the user or the database.
        is_read_only: bool,
        /// The server's host, if it is another machine and its certificate is not verified.
        unverified_host: Option<String>,
        /// How many connections the server has for users.
        max_connections: u64,
    },
}

/// Inspects the database; a missing SQLite file is not created.
///
/// # Errors
/// If the database cannot be reached or read; the message states the cause and the remedy.
pub(crate) async fn inspect(
    options: &Options,
    migrations: impl IntoIterator<Item = (&'static str, Migrations)>,
) -> Result<Inspection> {
    let migrations = with_framework(migrations);
    match Engine::of(&options.url).ok_or_else(|| DatabaseError::OpenFailed(not_a_url().into()))? {
        Engine::Sqlite => Sqlite::inspect(options, migrations),
        Engine::Postgres => Postgres::inspect(options, migrations).await,
    }
}

/// Whether a SQLite URL names a file relative to the working directory.
pub(crate) fn is_relative_sqlite_file(url: &str) -> bool {
    SqliteUrl::parse(url).is_ok_and(|url| url.is_relative())
}

/// The file of a SQLite URL; `None` for a database in memory, and for PostgreSQL.
pub(crate) fn sqlite_file(url: &str) -> Option<PathBuf> {
    SqliteUrl::parse(url).ok()?.file()
}
