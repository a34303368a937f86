//! The database that all blueprints share, each with tables and migrations of its own: SQLite or PostgreSQL, as its URL says.
//!
//! Statements are sent through [`Executor`], by a [`Database`] each by itself or in a [`Transaction`]. One set of SQL serves
//! both databases. What that asks of a blueprint:
//! - parameters are `$1`, `$2` …; a list of them is written by [`placeholders`];
//! - columns have the types of [`value`], which are read into `Uuid`, `jiff::Timestamp`, `bool`, `i64` …;
//! - migrations alone are written twice, since the databases declare columns differently;
//! - a transaction begins with its write, which is where SQLite and PostgreSQL let others wait.

mod check_url;
mod engine;
mod error;
mod executor;
mod handle;
mod migrations;
mod open_transactions;
mod options;
mod postgres;
mod row;
mod sqlite;
mod sweeper;
mod transaction;
mod value;

pub(crate) use check_url::check_url;
pub(crate) use error::outage_of;
pub use error::{DatabaseError, DriverError, Outage};
pub use executor::{Executor, placeholders};
pub use handle::Database;
pub use migrations::Migrations;
pub(crate) use migrations::Program;
pub(crate) use open_transactions::OpenTransaction;
pub(crate) use options::Options;
pub use row::{FromRow, Row};
pub use sweeper::Expiring;
pub(crate) use sweeper::Sweeper;
pub use transaction::Transaction;
pub use value::{Column, Value};

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;

    /// An empty database in memory, with the core's own tables.
    pub(crate) async fn in_memory() -> Database {
        let options = Options {
            url: "sqlite::memory:".into(),
            max_connections: 1,
            min_connections: 0,
            acquire_timeout: Duration::from_secs(5),
            idle_timeout: None,
            statement_timeout: None,
        };
        Database::open(&options, [], Program { name: "test", version: "0" }).await.expect("it opens")
    }
}
