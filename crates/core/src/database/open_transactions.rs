//! Tracks open transactions: the shutdown waits for them, and counts those that it aborts.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

#[derive(Debug, Clone, Default)]
pub(super) struct OpenTransactions(Arc<State>);

#[derive(Debug, Default)]
struct State {
    counts: Mutex<Counts>,
    none_open: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    aborted: u64,
}

/// Guard of an open transaction. If it is dropped without a call to [`finish`](Self::finish), the transaction was aborted.
#[derive(Debug)]
pub(crate) struct OpenTransaction {
    shared: Arc<State>,
    has_ended: bool,
}

impl OpenTransactions {
    pub(super) fn begin(&self) -> OpenTransaction {
        self.0.counts.lock().open += 1;
        OpenTransaction { shared: Arc::clone(&self.0), has_ended: false }
    }

    /// Waits until none is open, or until the deadline.
    pub(super) async fn wait(&self, deadline: Instant) {
        let all_ended = async {
            loop {
                let notified = self.0.none_open.notified();
                if self.0.counts.lock().open == 0 {
                    return;
                }
                notified.await;
            }
        };
        // Transactions that are still open are aborted.
        let _ = tokio::time::timeout_at(deadline.into(), all_ended).await;
    }

    /// Number of transactions that are open or were aborted.
    pub(super) fn unfinished(&self) -> u64 {
        let counts = self.0.counts.lock();
        counts.open as u64 + counts.aborted
    }
}

impl OpenTransaction {
    pub(crate) fn finish(mut self) {
        self.has_ended = true;
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        let mut counts = self.shared.counts.lock();
        counts.open -= 1;
        counts.aborted += u64::from(!self.has_ended);
        if counts.open == 0 {
            self.shared.none_open.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[actix_web::test]
    async fn the_shutdown_waits_for_open_transactions_and_counts_aborted_ones() {
        let transactions = OpenTransactions::default();
        let first = transactions.begin();
        let second = transactions.begin();
        let waiting = transactions.clone();
        #[expect(clippy::disallowed_methods, reason = "a test, with no request")]
        let waited = actix_web::rt::spawn(async move { waiting.wait(Instant::now() + Duration::from_secs(60)).await });
        first.finish();
        assert_eq!(transactions.unfinished(), 1);
        drop(second);
        waited.await.expect("waits until none is open");
        assert_eq!(transactions.unfinished(), 1, "one was aborted");
        let _third = transactions.begin();
        transactions.wait(Instant::now()).await;
        assert_eq!(transactions.unfinished(), 2);
    }
}
