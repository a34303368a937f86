//! The tables that record which migrations have run.
//!
//! Each blueprint has its own history, in `_schema_<blueprint>`. `schema_writers` records the program that last changed a
//! schema, for the error message of an older program. Builds before the first release that
//! used sqlx stored the history in `_migrations_<blueprint>`.

use refinery::{Migration, Runner};

pub(super) const FIND_WRITER: &str = "SELECT program FROM schema_writers WHERE blueprint = $1";

/// The tables with the history of one blueprint.
pub(super) struct HistoryTables {
    /// The current table.
    pub history: String,
    /// The table of builds that used sqlx.
    pub legacy: String,
}

impl HistoryTables {
    pub(super) fn new(blueprint: &str) -> Self {
        let name = blueprint.replace('-', "_");
        Self { history: format!("_schema_{name}"), legacy: format!("_migrations_{name}") }
    }

    pub(super) fn runner(&self, migrations: &[Migration]) -> Runner {
        let mut runner = Runner::new(migrations);
        runner.set_migration_table_name(&self.history);
        runner
    }

    /// A query for the migrations that have run: version, name, time and checksum.
    pub(super) fn rows(&self) -> String {
        format!("SELECT version, name, applied_on, checksum FROM {} ORDER BY version", self.history)
    }

    /// A query for the last migration that a build with sqlx ran.
    pub(super) fn legacy_version(&self) -> String {
        format!("SELECT max(version) FROM {} WHERE success", self.legacy)
    }
}
