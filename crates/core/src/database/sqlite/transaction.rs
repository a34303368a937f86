//! A transaction on the writing connection of SQLite.

use super::statements::{Writer, changes, rows};
use crate::database::error::{DatabaseError, Result};
use crate::database::row::FromRow;
use crate::database::value::ToSql;

/// An open transaction; rolled back if it is dropped before its end.
pub(in crate::database) struct SqliteTransaction {
    writer: Writer,
}

impl SqliteTransaction {
    pub(super) const fn new(writer: Writer) -> Self {
        Self { writer }
    }

    pub(crate) fn query<T: FromRow>(&self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<T>> {
        Ok(rows(&self.writer, sql, values)?)
    }

    pub(crate) fn execute(&self, sql: &str, values: &[&dyn ToSql]) -> Result<u64> {
        Ok(changes(&self.writer, sql, values)?)
    }

    /// Runs a command such as `COMMIT` or `SAVEPOINT`.
    pub(crate) fn control(&self, command: &str) -> Result<()> {
        self.writer.execute_batch(command).map_err(|error| DatabaseError::Statement(error.into()))
    }
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        // The connection must not be reused with an open transaction.
        if !self.writer.is_autocommit() {
            let _ = self.writer.execute_batch("ROLLBACK");
        }
    }
}
