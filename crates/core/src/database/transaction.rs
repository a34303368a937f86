//! A database transaction: its statements, savepoints and end.

use super::error::{DatabaseError, Result};
use super::executor::{Executor, reject_transaction_control};
use super::handle::{Connections, Database};
use super::open_transactions::OpenTransaction;
use super::postgres::PostgresTransaction;
use super::row::FromRow;
use super::sqlite::SqliteTransaction;
use super::value::ToSql;

/// An open transaction; see [`Database::transaction`].
pub struct Transaction {
    inner: Inner,
    /// After a failed statement PostgreSQL rejects all others, and `COMMIT` rolls back.
    failed: bool,
    /// Whether to roll back even if the closure succeeds.
    rollback_only: bool,
}

#[expect(clippy::large_enum_variant, reason = "one per request: a box would cost an allocation")]
enum Inner {
    Sqlite(SqliteTransaction),
    Postgres(PostgresTransaction),
}

impl Database {
    /// Begins a transaction; the guard counts it as open.
    pub(crate) async fn begin(&self) -> Result<(Transaction, OpenTransaction)> {
        let inner = match &*self.connections {
            Connections::Sqlite(sqlite) => Inner::Sqlite(sqlite.begin().await?),
            Connections::Postgres(postgres) => Inner::Postgres(postgres.begin().await?),
        };
        Ok((Transaction { inner, failed: false, rollback_only: false }, self.open_transactions.begin()))
    }
}

impl Transaction {
    /// Sets a savepoint.
    pub(crate) fn savepoint(&mut self) -> Result<()> {
        self.control("SAVEPOINT part")
    }

    /// Releases the savepoint: the changes since then remain part of the transaction.
    pub(crate) fn release(&mut self) -> Result<()> {
        if self.failed {
            return Err(DatabaseError::TransactionFailed);
        }
        self.control("RELEASE SAVEPOINT part")
    }

    /// Rolls back to the savepoint, and clears the failure of a later statement.
    pub(crate) fn rollback_to_savepoint(&mut self) -> Result<()> {
        self.control("ROLLBACK TO SAVEPOINT part")?;
        self.failed = false;
        self.control("RELEASE SAVEPOINT part")
    }

    /// Rolls back at the end, even if the closure returns `Ok`.
    pub(crate) fn set_rollback_only(&mut self) {
        self.rollback_only = true;
    }

    fn check(&self, sql: &str) -> Result<()> {
        if self.failed {
            return Err(DatabaseError::TransactionFailed);
        }
        reject_transaction_control(sql)
    }

    fn control(&mut self, command: &str) -> Result<()> {
        match &mut self.inner {
            Inner::Sqlite(transaction) => transaction.control(command),
            Inner::Postgres(transaction) => {
                transaction.control(command);
                Ok(())
            }
        }
    }

    pub(crate) async fn commit(self) -> Result<()> {
        if self.rollback_only {
            return self.rollback().await;
        }
        if self.failed {
            self.rollback().await?;
            return Err(DatabaseError::TransactionFailed);
        }
        match self.inner {
            Inner::Sqlite(transaction) => transaction.control("COMMIT"),
            Inner::Postgres(transaction) => transaction.commit().await,
        }
    }

    pub(crate) async fn rollback(self) -> Result<()> {
        match self.inner {
            Inner::Sqlite(transaction) => transaction.control("ROLLBACK"),
            Inner::Postgres(transaction) => transaction.rollback().await,
        }
    }
}

impl Executor for &mut Transaction {
    async fn query<T: FromRow>(self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<T>> {
        self.check(sql)?;
        let rows = match &mut self.inner {
            Inner::Sqlite(transaction) => transaction.query(sql, values),
            Inner::Postgres(transaction) => transaction.query(sql, values).await,
        };
        self.failed |= rows.is_err();
        rows
    }

    async fn execute(self, sql: &str, values: &[&dyn ToSql]) -> Result<u64> {
        self.check(sql)?;
        let changed = match &mut self.inner {
            Inner::Sqlite(transaction) => transaction.execute(sql, values),
            Inner::Postgres(transaction) => transaction.execute(sql, values).await,
        };
        self.failed |= changed.is_err();
        changed
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("failed", &self.failed).finish_non_exhaustive()
    }
}
