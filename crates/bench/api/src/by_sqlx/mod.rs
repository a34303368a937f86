//! sqlx's typed pools, one for each database, with the statements of the service.

mod postgres;
mod sqlite;

pub use postgres::Store as Postgres;
pub use sqlite::Store as Sqlite;

/// The same number as in the service.
const MAX_CONNECTIONS: u32 = 8;
