//! PostgreSQL: times are stored as timestamps.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

#[expect(clippy::duplicate_mod, reason = "the statements serve both databases")]
#[path = "statements.rs"]
mod statements;

pub use statements::Store;

type Database = sqlx::Postgres;
type Time = DateTime<Utc>;

const TABLES: &str = include_str!("../../sql/postgres.sql");

async fn open(url: &str) -> Result<sqlx::Pool<Database>, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?.disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(super::MAX_CONNECTIONS).test_before_acquire(false);
    pool.connect_with(options).await
}

fn stored(time: DateTime<Utc>) -> Time {
    time
}

fn read(time: Time) -> DateTime<Utc> {
    time
}
