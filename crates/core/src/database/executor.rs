//! Runs statements, inside and outside transactions.

use super::error::{DatabaseError, Result};
use super::row::FromRow;
use super::value::ToSql;

/// Runs SQL statements: each on its own with `&Database`, or all in one transaction with `&mut Transaction`.
///
/// A function that takes `impl Executor` works with both. Parameters are `$1`, `$2` …, on both databases. On PostgreSQL, a
/// statement of `&Database` that begins with `SELECT` is retried if its connection was closed.
///
/// ```
/// use cyanotype::{DatabaseError, Executor};
/// use uuid::Uuid;
///
/// async fn title(executor: impl Executor, id: Uuid) -> Result<Option<String>, DatabaseError> {
///     let row: Option<(String,)> = executor.query_opt("SELECT title FROM books WHERE id = $1", &[&id]).await?;
///     Ok(row.map(|(title,)| title))
/// }
/// ```
#[expect(async_fn_in_trait, reason = "handlers stay on their thread, so futures need not be Send")]
pub trait Executor: Sized {
    /// Runs a statement and returns all rows.
    ///
    /// # Errors
    /// If the database is unavailable or rejects the statement, or if a row cannot be converted.
    async fn query<T: FromRow>(self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<T>>;

    /// Runs a statement and returns the number of affected rows.
    ///
    /// # Errors
    /// If the database is unavailable or rejects the statement.
    async fn execute(self, sql: &str, values: &[&dyn ToSql]) -> Result<u64>;

    /// Runs a statement and returns the first row, if there is one.
    ///
    /// # Errors
    /// As for [`query`](Self::query).
    async fn query_opt<T: FromRow>(self, sql: &str, values: &[&dyn ToSql]) -> Result<Option<T>> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// Runs a statement and returns the first row.
    ///
    /// # Errors
    /// As for [`query`](Self::query), and if there is no row.
    async fn query_one<T: FromRow>(self, sql: &str, values: &[&dyn ToSql]) -> Result<T> {
        self.query_opt(sql, values).await?.ok_or(DatabaseError::NoRow)
    }
}

/// Rejects statements that begin or end a transaction: outside
/// `Database::transaction` they would change the transaction of a shared or pooled connection.
pub(super) fn reject_transaction_control(sql: &str) -> Result<()> {
    const CONTROL: [&str; 8] = ["begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"];
    let sql = sql.trim_start();
    let word = &sql[..sql.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(sql.len())];
    if CONTROL.iter().any(|control| control.eq_ignore_ascii_case(word)) {
        return Err(DatabaseError::TransactionControl(word.to_owned()));
    }
    Ok(())
}

/// Numbered placeholders for `count` values, starting at `$first`.
///
/// ```
/// assert_eq!(cyanotype::placeholders(2, 3), "$2, $3, $4");
/// ```
#[must_use]
pub fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_control_statements_are_rejected() {
        for sql in ["BEGIN", " begin immediate", "COMMIT;", "rollback to a", "SAVEPOINT a", "start transaction", "end"]
        {
            assert!(matches!(reject_transaction_control(sql), Err(DatabaseError::TransactionControl(_))), "{sql}");
        }
        for sql in ["SELECT 1", "INSERT INTO begins VALUES (1)", "beginning", "", "-- begin\nSELECT 1"] {
            assert!(reject_transaction_control(sql).is_ok(), "{sql}");
        }
    }
}
