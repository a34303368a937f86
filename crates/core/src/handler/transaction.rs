//! Transactions of handlers: the error of one whose handler was dropped is reported as that of its request.

use cyanotype_telemetry::{Kind, Report, pipeline};

use super::problem::Problem;
use crate::database::{Database, DatabaseError, Transaction};

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
        self.run_transaction(work, report_abandoned).await
    }
}

/// Reports the failure of a transaction whose handler was dropped, for its request.
fn report_abandoned<E: Into<Problem>>(error: E) {
    let problem: Problem = error.into();
    if !problem.is_server_error() {
        return;
    }
    if let Some(pipeline) = pipeline() {
        pipeline.report(Report::failure(Kind::Uncaught, "cyanotype::database", problem.failure()));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use futures_util::FutureExt;
    use tokio::sync::oneshot;

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
