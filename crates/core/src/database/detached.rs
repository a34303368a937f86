//! A database transaction runs to completion in its own task, which a disconnected client cannot cancel.
//!
//! A handler is dropped at any `.await` when its client disconnects or when it times out. A transaction that is dropped with
//! it might have been sent only partially. It therefore runs in a separate task, in the scope of the request, and the handler
//! awaits the task.

use std::panic::{AssertUnwindSafe, resume_unwind};

use cyanotype_telemetry::request;
use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::error::DatabaseError;
use super::handle::Database;
use super::open_transactions::OpenTransaction;
use super::transaction::Transaction;

/// The outcome of a transaction: the result of the closure, or its panic.
type Outcome<T, E> = std::thread::Result<Result<T, E>>;

impl Database {
    /// Runs `work` in a transaction: commits if it returns `Ok`, otherwise rolls back. If the caller is dropped after the
    /// transaction has begun, it runs to completion, and `report` gets its error.
    pub(crate) async fn run_transaction<T, E>(
        &self,
        work: impl AsyncFnOnce(&mut Transaction) -> Result<T, E> + 'static,
        report: impl FnOnce(E) + 'static,
    ) -> Result<T, E>
    where
        T: 'static,
        E: From<DatabaseError> + 'static,
    {
        let (mut sender, receiver) = oneshot::channel::<Outcome<T, E>>();
        let database = self.clone();
        let task = async move {
            let begun = tokio::select! {
                biased;
                begun = database.begin() => begun,
                // The caller was dropped before the transaction began.
                () = sender.closed() => return,
            };
            let outcome = match begun {
                Ok((transaction, open)) => run(transaction, open, work).await,
                Err(error) => Ok(Err(error.into())),
            };
            // The panic hook has already reported a panic.
            if let Err(Ok(Err(error))) = sender.send(outcome) {
                report(error);
            }
        };
        #[expect(clippy::disallowed_methods, reason = "the task enters the scope of the request, which awaits it")]
        match request::current() {
            Some(request) => drop(actix_web::rt::spawn(request::run_in(request, task))),
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
