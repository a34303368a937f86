//! A database transaction runs to its end in a task that no client can cancel.
//!
//! A handler is dropped when its client leaves, wherever it stands, and when it is late. A transaction that was dropped with it
//! could be half sent, so it is not a part of the handler: it runs beside it, with its request, and the handler waits for it.

use std::panic::{AssertUnwindSafe, resume_unwind};

use cyanotype_telemetry::failure::Failure;
use cyanotype_telemetry::{Kind, Report, pipeline, request};
use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::problem::Problem;
use crate::database::{Database, DatabaseError, OpenTransaction, Transaction};

/// What the work of a transaction came to: its own result, or the panic that ended it.
type Outcome<T, E> = std::thread::Result<Result<T, E>>;

impl Database {
    /// Does the work in a transaction: all of it is stored when it gives `Ok`, nothing otherwise.
    ///
    /// Once begun it runs to its end, though the client leaves or the handler is late; a failure after its
    /// handler has gone is reported as uncaught, for the request that began it. Before it has begun, while it waits for a connection, it
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
                // The handler has gone, and nothing was done yet.
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
        #[expect(
            clippy::disallowed_methods,
            reason = "it enters the request's scope itself, and the request waits for it"
        )]
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
            // Its error, or its panic, says what went wrong; a rollback that fails as well closes the connection.
            let _ = transaction.rollback().await;
            failed
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
        database.execute("CREATE TABLE notes (text TEXT NOT NULL UNIQUE)", &[]).await.expect("it is made");
        database
    }

    async fn notes(database: &Database) -> Vec<String> {
        let rows: Vec<(String,)> =
            database.query("SELECT text FROM notes ORDER BY text", &[]).await.expect("it is read");
        rows.into_iter().map(|(text,)| text).collect()
    }

    async fn write(transaction: &mut Transaction, text: &str) -> Result<u64, DatabaseError> {
        transaction.execute("INSERT INTO notes VALUES ($1)", &[&text]).await
    }

    #[actix_web::test]
    async fn all_of_it_is_stored_or_nothing() {
        let database = database().await;
        let done = async |transaction: &mut Transaction| {
            write(transaction, "a").await?;
            write(transaction, "b").await
        };
        database.transaction(done).await.expect("it is stored");
        let refused = async |transaction: &mut Transaction| {
            write(transaction, "c").await?;
            Err::<(), _>(DatabaseError::NoRow)
        };
        assert!(matches!(database.transaction(refused).await, Err(DatabaseError::NoRow)));
        assert_eq!(notes(&database).await, ["a", "b"]);
    }

    #[actix_web::test]
    async fn a_statement_that_failed_is_not_passed_over() {
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
    async fn a_part_can_be_undone() {
        let database = database().await;
        let parts = async |transaction: &mut Transaction| {
            write(transaction, "a").await?;
            transaction.savepoint()?;
            write(transaction, "b").await?;
            assert!(write(transaction, "a").await.is_err());
            transaction.undo()?;
            transaction.savepoint()?;
            write(transaction, "c").await?;
            transaction.release()
        };
        database.transaction(parts).await.expect("it is stored");
        assert_eq!(notes(&database).await, ["a", "c"]);
    }

    #[actix_web::test]
    async fn a_panic_rolls_back_and_is_the_callers() {
        let database = database().await;
        let panics = async |transaction: &mut Transaction| {
            write(transaction, "a").await?;
            panic!("in the middle");
            #[expect(unreachable_code, reason = "it says what the work gives")]
            Ok::<_, DatabaseError>(())
        };
        let caught = AssertUnwindSafe(database.transaction(panics)).catch_unwind().await;
        assert_eq!(caught.expect_err("it panics").downcast_ref(), Some(&"in the middle"));
        assert!(notes(&database).await.is_empty());
        assert_eq!(database.unfinished_transactions(), 0);
    }

    #[actix_web::test]
    async fn a_connection_in_a_transaction_is_never_given_to_the_next() {
        let database = database().await;
        for statement in ["BEGIN", "SAVEPOINT part", "COMMIT"] {
            assert!(matches!(database.execute(statement, &[]).await, Err(DatabaseError::ByStatement(_))));
        }
        let (begun, has_begun) = oneshot::channel();
        let work = async move |transaction: &mut Transaction| {
            write(transaction, "a").await?;
            let _ = begun.send(());
            std::future::pending::<Result<(), DatabaseError>>().await
        };
        // As the end of a worker does: the task itself is dropped.
        let local = tokio::task::LocalSet::new();
        let cut = database.clone();
        local.spawn_local(async move { cut.transaction(work).await });
        local.run_until(async { has_begun.await.expect("it begins") }).await;
        drop(local);
        assert_eq!(database.unfinished_transactions(), 1, "it is counted");
        assert!(notes(&database).await.is_empty(), "it is rolled back, and the connection serves the next");
    }
}
