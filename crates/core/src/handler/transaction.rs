//! A database transaction runs to completion in its own task, which a disconnected client cannot cancel.
//!
//! A handler is dropped at any `.await` when its client disconnects or when it times out. A transaction that is dropped with
//! it might have been sent only partially. It therefore runs in a separate task, in the scope of the request, and the handler
//! awaits the task.

use std::panic::{AssertUnwindSafe, resume_unwind};

use cyanotype_telemetry::failure::Failure;
use cyanotype_telemetry::{Kind, Report, pipeline, request};
use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::problem::Problem;
use crate::database::{Database, DatabaseError, OpenTransaction, Transaction};

/// The outcome of a transaction: the result of the closure, or its panic.
type Outcome<T, E> = std::thread::Result<Result<T, E>>;

impl Database {
    /// Runs `work` in a transaction: commits if it returns `Ok`, otherwise rolls back.
    ///
    /// Once begun, the transaction runs to completion even if the client disconnects or the handler times out; a failure after
    /// that is reported as uncaught, for the request that began it. While it waits for a connection, it is cancelled with its
    /// handler. On SQLite only one transaction runs at a time, so `work` should await nothing but the database.
    ///
    /// # Errors
    /// If `work` fails, if the database is unavailable, or if a statement failed, even if `work` ignored that.
    ///
    /// # Panics
    /// If `work` panics; the transaction is rolled back.
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
        work: impl AsyncFnOnce(&mut Transaction) -> Result<T, E> + 'static,
    ) -> Result<T, E>
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
                // The handler was dropped before the transaction began.
                () = sender.closed() => return,
            };
            let outcome = match begun {
                Ok((transaction, open)) => run(transaction, open, work).await,
                Err(error) => Ok(Err(error.into())),
            };
            if let Err(outcome) = sender.send(outcome) {
                report_abandoned(outcome);
            }
        };
        #[expect(clippy::disallowed_methods, reason = "the task enters the scope of the request, which awaits it")]
        match request::current() {
            Some(request) => drop(actix_web::rt::spawn(request::scope(request, task))),
            None => drop(actix_web::rt::spawn(task)),
        }
        let guard = DetachOnDrop { is_finished: false };
        let outcome = receiver.await;
        guard.finish();
        match outcome {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => resume_unwind(panic),
            // The task was dropped with its worker: the service is stopping.
            Err(_) => Err(self.stopping_error().into()),
        }
    }
}

async fn run<T, E: From<DatabaseError>>(
    mut transaction: Transaction,
    open: OpenTransaction,
    work: impl AsyncFnOnce(&mut Transaction) -> Result<T, E>,
) -> Outcome<T, E> {
    let done = AssertUnwindSafe(work(&mut transaction)).catch_unwind().await;
    let outcome = match done {
        Ok(Ok(done)) => Ok(transaction.commit().await.map(|()| done).map_err(E::from)),
        failed => {
            // The error or panic is returned; if the rollback fails as well, the connection is closed.
            let _ = transaction.rollback().await;
            failed
        }
    };
    open.finish();
    outcome
}

/// Reports the failure of a transaction whose handler was dropped, for its request.
fn report_abandoned<T, E: Into<Problem>>(outcome: Outcome<T, E>) {
    // The panic hook has already reported a panic.
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

/// Marks the request as detached if the handler is dropped while it awaits its transaction: the request then continues
/// without its client, and its response is available as a breadcrumb for a later event.
struct DetachOnDrop {
    is_finished: bool,
}

impl DetachOnDrop {
    fn finish(mut self) {
        self.is_finished = true;
    }
}

impl Drop for DetachOnDrop {
    fn drop(&mut self) {
        if !self.is_finished {
            request::with_current(|request| request.mark_detached());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Executor;
    use crate::database::tests::in_memory;

    async fn database() -> Database {
        let database = in_memory().await;
        database.execute("CREATE TABLE notes (text TEXT NOT NULL UNIQUE)", &[]).await.expect("the table is created");
        database
    }

    async fn notes(database: &Database) -> Vec<String> {
        let rows: Vec<(String,)> =
            database.query("SELECT text FROM notes ORDER BY text", &[]).await.expect("the notes are read");
        rows.into_iter().map(|(text,)| text).collect()
    }

    async fn write(transaction: &mut Transaction, text: &str) -> Result<u64, DatabaseError> {
        transaction.execute("INSERT INTO notes VALUES ($1)", &[&text]).await
    }

    #[actix_web::test]
    async fn a_transaction_commits_all_writes_or_none() {
        let database = database().await;
        let done = async |transaction: &mut Transaction| {
            write(transaction, "a").await?;
            write(transaction, "b").await
        };
        database.transaction(done).await.expect("a commit");
        let rejected = async |transaction: &mut Transaction| {
            write(transaction, "c").await?;
            Err::<(), _>(DatabaseError::NoRow)
        };
        assert!(matches!(database.transaction(rejected).await, Err(DatabaseError::NoRow)));
        assert_eq!(notes(&database).await, ["a", "b"]);
    }

    #[actix_web::test]
    async fn a_failed_statement_fails_the_transaction() {
        let database = database().await;
        let careless = async |transaction: &mut Transaction| {
            write(transaction, "a").await?;
            let again = write(transaction, "a").await;
            assert!(again.is_err_and(|error| error.is_unique_violation()));
            assert!(matches!(write(transaction, "b").await, Err(DatabaseError::TransactionFailed)));
            Ok::<_, DatabaseError>(())
        };
        assert!(matches!(database.transaction(careless).await, Err(DatabaseError::TransactionFailed)));
        assert!(notes(&database).await.is_empty());
    }

    #[actix_web::test]
    async fn a_savepoint_can_be_rolled_back() {
        let database = database().await;
        let parts = async |transaction: &mut Transaction| {
            write(transaction, "a").await?;
            transaction.savepoint()?;
            write(transaction, "b").await?;
            assert!(write(transaction, "a").await.is_err());
            transaction.rollback_to_savepoint()?;
            transaction.savepoint()?;
            write(transaction, "c").await?;
            transaction.release()
        };
        database.transaction(parts).await.expect("a commit");
        assert_eq!(notes(&database).await, ["a", "c"]);
    }

    #[actix_web::test]
    async fn a_panic_rolls_back_and_resumes_in_the_caller() {
        let database = database().await;
        let panics = async |transaction: &mut Transaction| {
            write(transaction, "a").await?;
            panic!("in the middle");
            #[expect(unreachable_code, reason = "sets the return type")]
            Ok::<_, DatabaseError>(())
        };
        let caught = AssertUnwindSafe(database.transaction(panics)).catch_unwind().await;
        assert_eq!(caught.expect_err("a panic").downcast_ref(), Some(&"in the middle"));
        assert!(notes(&database).await.is_empty());
        assert_eq!(database.unfinished_transactions(), 0);
    }

    #[actix_web::test]
    async fn a_connection_with_an_open_transaction_is_never_reused() {
        let database = database().await;
        for statement in ["BEGIN", "SAVEPOINT part", "COMMIT"] {
            assert!(matches!(database.execute(statement, &[]).await, Err(DatabaseError::TransactionControl(_))));
        }
        let (begun, has_begun) = oneshot::channel();
        let work = async move |transaction: &mut Transaction| {
            write(transaction, "a").await?;
            let _ = begun.send(());
            std::future::pending::<Result<(), DatabaseError>>().await
        };
        // Drops the task itself, as the end of a worker does.
        let local = tokio::task::LocalSet::new();
        let cut = database.clone();
        local.spawn_local(async move { cut.transaction(work).await });
        local.run_until(async { has_begun.await.expect("the transaction begins") }).await;
        drop(local);
        assert_eq!(database.unfinished_transactions(), 1, "the transaction is counted");
        assert!(notes(&database).await.is_empty(), "the transaction is rolled back, and the connection is usable");
    }
}
