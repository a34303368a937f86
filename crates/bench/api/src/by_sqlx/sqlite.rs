//! SQLite: times are stored as integers.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

#[expect(clippy::duplicate_mod, reason = "the statements serve both databases")]
#[path = "statements.rs"]
mod statements;

pub use statements::Store;

type Database = sqlx::Sqlite;
type Time = i64;

const TABLES: &str = include_str!("../../sql/sqlite.sql");

async fn open(url: &str) -> Result<sqlx::Pool<Database>, sqlx::Error> {
    let options = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new().max_connections(super::MAX_CONNECTIONS).test_before_acquire(false);
    pool.connect_with(options).await
}

fn stored(time: DateTime<Utc>) -> Time {
    time.timestamp_micros()
}

fn read(time: Time) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time).unwrap_or_default()
}
