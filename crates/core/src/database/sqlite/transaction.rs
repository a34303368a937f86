//! A transaction on SQLite's one connection that writes.

use super::statements::{Writer, changes, rows};
use crate::database::error::{DatabaseError, Result};
use crate::database::row::FromRow;
use crate::database::value::Value;

/// Begun; dropped unfinished it is rolled back.
pub(in crate::database) struct SqliteTransaction {
    writer: Writer,
}

impl SqliteTransaction {
    pub(super) const fn new(writer: Writer) -> Self {
        Self { writer }
    }

    pub(crate) fn query<T: FromRow>(&self, sql: &str, values: &[&dyn Value]) -> Result<Vec<T>> {
        Ok(rows(&self.writer, sql, values)?)
    }

    pub(crate) fn execute(&self, sql: &str, values: &[&dyn Value]) -> Result<u64> {
        Ok(changes(&self.writer, sql, values)?)
    }

    /// `COMMIT`, `SAVEPOINT` and the like.
    pub(crate) fn control(&self, command: &str) -> Result<()> {
        self.writer.execute_batch(command).map_err(|error| DatabaseError::Statement(error.into()))
    }
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        // The connection never goes to the next one in a transaction.
        if !self.writer.is_autocommit() {
            let _ = self.writer.execute_batch("ROLLBACK");
        }
    }
}
