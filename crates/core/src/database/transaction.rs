//! A database transaction runs to its end in a task that no client can cancel.
//!
//! A handler is dropped when its client leaves, wherever it stands, and when it is late. A transaction that was dropped with it
//! could be half sent, so it is not a part of the handler: it runs beside it, with its request, and the handler waits for it.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::executor::{Executor, check};
use super::open_transactions::OpenTransaction;
use super::postgres::PostgresTransaction;
use super::row::FromRow;
use super::sqlite::SqliteTransaction;
use super::value::Value;
use super::{Connections, Database, DatabaseError, Result};
use crate::failure::Failure;
use crate::pipeline::{Report, pipeline};
use crate::problem::Problem;
use crate::record::Kind;
use crate::request;

/// An open transaction; see [`Database::transaction`].
pub struct Transaction {
    inner: Inner,
    /// Once a statement has failed, PostgreSQL takes no other and answers `COMMIT` with a rollback.
    failed: bool,
    /// Whether the work wants nothing of it to stay, though it has an answer.
    forgotten: bool,
}

enum Inner {
    Sqlite(SqliteTransaction),
    Postgres(PostgresTransaction),
}

/// What the work of a transaction came to: its own result, or the panic that ended it.
type Outcome<T, E> = std::thread::Result<std::result::Result<T, E>>;

impl Database {
    /// Does the work in a transaction: all of it is stored when it gives `Ok`, nothing otherwise.
    ///
    /// Once begun it runs to its end, though the client leaves or the handler is late; a failure that nobody waits for any
    /// more is reported as uncaught, for the request that began it. Before it has begun, while it waits for a connection, it
    /// is cancelled with its handler. On SQLite one transaction runs at a time, so it should wait for nothing but the database.
    ///
    /// # Errors
    /// Those of the work; when the database is unavailable; when a statement of it failed, even if the work passed over that.
    ///
    /// # Panics
    /// When the work panics. All is rolled back then.
    ///
    /// ```
    /// use cyanotype::{Database, DatabaseError, Executor};
    ///
    /// async fn move_stock(database: &Database, from: String, to: String) -> Result<(), DatabaseError> {
    ///     database
    ///         .transaction(async move |transaction| {
    ///             let take = "UPDATE stock SET count = count - 1 WHERE sku = $1";
    ///             transaction.execute(take, &[&from]).await?;
    ///             let put = "UPDATE stock SET count = count + 1 WHERE sku = $1";
    ///             transaction.execute(put, &[&to]).await?;
    ///             Ok(())
    ///         })
    ///         .await
    /// }
    /// ```
    pub async fn transaction<T, E>(
        &self,
        work: impl AsyncFnOnce(&mut Transaction) -> std::result::Result<T, E> + 'static,
    ) -> std::result::Result<T, E>
    where
        T: 'static,
        E: From<DatabaseError> + Into<Problem> + 'static,
    {
        let (mut sender, receiver) = oneshot::channel::<Outcome<T, E>>();
        let database = self.clone();
        let task = async move {
            let begun = tokio::select! {
                biased;
                begun = database.begin() => begun,
                // Nobody waits any more, and nothing was done yet.
                () = sender.closed() => return,
            };
            let outcome = match begun {
                Ok((transaction, open)) => AssertUnwindSafe(run(transaction, open, work)).catch_unwind().await,
                Err(error) => Ok(Err(error.into())),
            };
            if let Err(outcome) = sender.send(outcome) {
                report_abandoned(outcome);
            }
        };
        match request::current() {
            Some(request) => drop(actix_web::rt::spawn(request::scope(request, task))),
            None => drop(actix_web::rt::spawn(task)),
        }
        let waiting = Waiting { is_over: false };
        let outcome = receiver.await;
        waiting.over();
        match outcome {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => resume_unwind(panic),
            // The task ended with its worker: the service stops.
            Err(_) => Err(self.stopping().into()),
        }
    }

    async fn begin(&self) -> Result<(Transaction, OpenTransaction)> {
        let inner = match &*self.connections {
            Connections::Sqlite(sqlite) => Inner::Sqlite(sqlite.begin().await?),
            Connections::Postgres(postgres) => Inner::Postgres(postgres.begin().await?),
        };
        Ok((Transaction { inner, failed: false, forgotten: false }, self.open_transactions.begin()))
    }
}

async fn run<T, E: From<DatabaseError>>(
    mut transaction: Transaction,
    open: OpenTransaction,
    work: impl AsyncFnOnce(&mut Transaction) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    // A panic drops the transaction, which rolls it back.
    let done = AssertUnwindSafe(work(&mut transaction)).catch_unwind().await;
    let outcome = match done {
        Ok(Ok(done)) => transaction.commit().await.map(|()| done).map_err(E::from),
        Ok(Err(error)) => {
            // The work's own error says what went wrong; a rollback that fails as well closes the connection.
            let _ = transaction.rollback().await;
            Err(error)
        }
        Err(panic) => {
            drop(transaction);
            open.ended();
            resume_unwind(panic)
        }
    };
    open.ended();
    outcome
}

/// The handler that began it is gone: a failure of the service is reported here, for its request.
fn report_abandoned<T, E: Into<Problem>>(outcome: Outcome<T, E>) {
    // The hook has reported a panic.
    let Ok(Err(error)) = outcome else { return };
    let problem: Problem = error.into();
    if !problem.is_server_error() {
        return;
    }
    if let Some(pipeline) = pipeline() {
        let failure: Failure = problem.failure();
        pipeline.report(Report::failure(Kind::Uncaught, "cyanotype::database", failure));
    }
}

/// The handler's wait for its transaction. Dropped before its end the request goes on without its client, and what is recorded
/// of its response belongs to what may yet be reported.
struct Waiting {
    is_over: bool,
}

impl Waiting {
    fn over(mut self) {
        self.is_over = true;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.is_over {
            request::with_current(|request| request.go_on());
        }
    }
}

impl Transaction {
    /// Begins a part that can be undone by itself.
    pub(crate) async fn savepoint(&mut self) -> Result<()> {
        self.control("SAVEPOINT part").await
    }

    /// Ends the part; what it did stays.
    pub(crate) async fn release(&mut self) -> Result<()> {
        if self.failed {
            return Err(DatabaseError::TransactionFailed);
        }
        self.control("RELEASE SAVEPOINT part").await
    }

    /// Undoes the part, and that a statement of it failed.
    pub(crate) async fn undo(&mut self) -> Result<()> {
        self.control("ROLLBACK TO SAVEPOINT part").await?;
        self.failed = false;
        self.control("RELEASE SAVEPOINT part").await
    }

    /// Has nothing of the transaction stored, whatever the work gives.
    pub(crate) fn forget(&mut self) {
        self.forgotten = true;
    }

    async fn control(&mut self, command: &str) -> Result<()> {
        match &mut self.inner {
            Inner::Sqlite(transaction) => transaction.control(command),
            Inner::Postgres(transaction) => {
                transaction.control(command);
                Ok(())
            }
        }
    }

    async fn commit(self) -> Result<()> {
        if self.forgotten {
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

    async fn rollback(self) -> Result<()> {
        match self.inner {
            Inner::Sqlite(transaction) => transaction.control("ROLLBACK"),
            Inner::Postgres(transaction) => transaction.rollback().await,
        }
    }
}

impl Executor for &mut Transaction {
    async fn query<T: FromRow>(self, sql: &str, values: &[&dyn Value]) -> Result<Vec<T>> {
        check(sql)?;
        let rows = match &mut self.inner {
            Inner::Sqlite(transaction) => transaction.query(sql, values),
            Inner::Postgres(transaction) => transaction.query(sql, values).await,
        };
        self.failed |= rows.is_err();
        rows
    }

    async fn execute(self, sql: &str, values: &[&dyn Value]) -> Result<u64> {
        check(sql)?;
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
