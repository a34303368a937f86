//! The database that all blueprints share, each with its own tables and migrations: SQLite or PostgreSQL, as selected by the
//! URL.
//!
//! Statements run through [`Executor`], each on its own with a [`Database`] or in a [`Transaction`]. The same SQL runs on both
//! engines. Rules for blueprints:
//! - parameters are `$1`, `$2` …; [`placeholders`] writes a list of them;
//! - columns have the types of [`value`], which convert to `Uuid`, `jiff::Timestamp`, `bool`, `i64` …;
//! - only migrations are written twice, because the engines declare columns differently;
//! - a transaction writes first, so that concurrent writers wait for it, or checks a version when it writes
//!   (`UPDATE … WHERE version = $1`).

mod check_url;
mod detached;
mod engine;
mod error;
mod executor;
mod explanation;
mod handle;
mod inspect;
mod maintenance;
mod migrations;
mod open_transactions;
mod options;
mod pool;
mod postgres;
mod row;
mod sqlite;
mod sweeper;
mod transaction;
mod value;

pub(crate) use check_url::check_url;
pub(crate) use engine::Engine;
pub(crate) use error::outage_of;
pub use error::{DatabaseError, DriverError, Outage};
pub use executor::{Executor, placeholders};
pub use explanation::Explanation;
pub use handle::Database;
pub(crate) use inspect::{EngineState, Inspection, inspect, is_relative_sqlite_file, sqlite_file};
pub(crate) use maintenance::{back_up, migrate, migration_status};
pub(crate) use migrations::Program;
pub use migrations::{BlueprintMigrations, MigrationInfo, MigrationState, Migrations};
pub(crate) use options::Options;
pub use row::{FromRow, Row};
pub use sqlite::{Backup, BackupError, BackupProgress, BackupStop};
pub use sweeper::ExpiringTable;
pub(crate) use sweeper::Sweeper;
pub use transaction::Transaction;
pub use value::{FromSql, ToSql};

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;

    pub(crate) fn options(url: &str) -> Options {
        Options {
            url: url.to_owned(),
            migrate: true,
            max_connections: 1,
            min_connections: 0,
            acquire_timeout: Duration::from_secs(5),
            idle_timeout: None,
            statement_timeout: None,
        }
    }

    /// An empty in-memory database, with the framework's tables.
    pub(crate) async fn in_memory() -> Database {
        Database::open(&options("sqlite::memory:"), [], Program { name: "test", version: "0" })
            .await
            .expect("the database opens")
    }
}
