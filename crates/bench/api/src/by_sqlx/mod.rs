//! sqlx's typed pools, with the statements that the service has: once for each database.

mod postgres;
mod sqlite;

pub use postgres::Store as Postgres;
pub use sqlite::Store as Sqlite;

/// As many as the service opens.
const MAX_CONNECTIONS: u32 = 8;
