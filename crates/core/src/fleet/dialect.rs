//! SQL differences between the two databases: the current time, and notifications.

use crate::database::{Database, Engine};

/// The SQL dialect of a database.
#[derive(Debug, Clone, Copy)]
pub(super) struct SqlDialect {
    /// The time of the statement, not of its transaction, in the format of the columns.
    pub now: &'static str,
    /// Whether the database sends notifications of changes.
    pub notifies: bool,
}

impl SqlDialect {
    pub(super) fn of(database: &Database) -> Self {
        match database.engine() {
            Engine::Postgres => Self { now: "clock_timestamp()", notifies: true },
            // SQLite has milliseconds; three zeros give the six decimals of stored times.
            Engine::Sqlite => Self { now: "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')", notifies: false },
        }
    }
}
