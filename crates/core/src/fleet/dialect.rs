//! What the two databases do not have in common: how the time is written in a statement, and whether they notify.

use crate::database::Database;

/// The database's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct SqlDialect {
    /// The time of the statement, not of its transaction, as a column has it.
    pub now: &'static str,
    /// Whether the database notifies of a change.
    pub notifies: bool,
}

impl SqlDialect {
    pub(super) fn of(database: &Database) -> Self {
        match database.kind() {
            "postgres" => Self { now: "clock_timestamp()", notifies: true },
            // With the three decimals that it has, and three more, as times are stored.
            _ => Self { now: "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')", notifies: false },
        }
    }
}
