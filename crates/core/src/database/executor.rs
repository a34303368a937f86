//! How statements are sent, in a transaction or outside.

use super::error::{DatabaseError, Result};
use super::row::FromRow;
use super::value::Value;

/// What runs statements: `&Database`, each statement by itself, or `&mut Transaction`, all of them or none.
///
/// On PostgreSQL a statement of `&Database` that begins with `SELECT` is sent again when its connection turns out to be closed.
///
/// A function of a store that takes `impl Executor` serves both. Parameters are `$1`, `$2` …, on both databases.
///
/// ```
/// use cyanotype::{DatabaseError, Executor};
/// use uuid::Uuid;
///
/// async fn title(on: impl Executor, id: Uuid) -> Result<Option<String>, DatabaseError> {
///     let row: Option<(String,)> = on.query_opt("SELECT title FROM books WHERE id = $1", &[&id]).await?;
///     Ok(row.map(|(title,)| title))
/// }
/// ```
#[expect(async_fn_in_trait, reason = "handlers stay on their thread, so none needs Send")]
pub trait Executor: Sized {
    /// Runs a statement and reads all its rows.
    ///
    /// # Errors
    /// When the database is unavailable, refuses the statement, or a row cannot be read.
    async fn query<T: FromRow>(self, sql: &str, values: &[&dyn Value]) -> Result<Vec<T>>;

    /// Runs a statement; gives the number of rows that it has changed.
    ///
    /// # Errors
    /// When the database is unavailable or refuses the statement.
    async fn execute(self, sql: &str, values: &[&dyn Value]) -> Result<u64>;

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    async fn query_opt<T: FromRow>(self, sql: &str, values: &[&dyn Value]) -> Result<Option<T>> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// The first row.
    ///
    /// # Errors
    /// As [`query`](Self::query), and when there is none.
    async fn query_one<T: FromRow>(self, sql: &str, values: &[&dyn Value]) -> Result<T> {
        self.query_opt(sql, values).await?.ok_or(DatabaseError::NoRow)
    }
}

/// Refuses what begins or ends a transaction: a statement that did would leave its connection in one.
pub(super) fn check(sql: &str) -> Result<()> {
    const CONTROL: [&str; 8] = ["begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"];
    let sql = sql.trim_start();
    let word = &sql[..sql.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(sql.len())];
    if CONTROL.iter().any(|control| control.eq_ignore_ascii_case(word)) {
        return Err(DatabaseError::ByStatement(word.to_owned()));
    }
    Ok(())
}

/// Numbered placeholders for a list of values, beginning with `$first`.
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
    fn a_statement_neither_begins_nor_ends_a_transaction() {
        for sql in ["BEGIN", " begin immediate", "COMMIT;", "rollback to a", "SAVEPOINT a", "start transaction", "end"]
        {
            assert!(matches!(check(sql), Err(DatabaseError::ByStatement(_))), "{sql}");
        }
        for sql in ["SELECT 1", "INSERT INTO begins VALUES (1)", "beginning", "", "-- begin\nSELECT 1"] {
            assert!(check(sql).is_ok(), "{sql}");
        }
    }
}
