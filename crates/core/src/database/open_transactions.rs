//! The transactions that are open: the stop waits for them, and counts those that it cuts off.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

#[derive(Debug, Clone, Default)]
pub(super) struct OpenTransactions(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    counts: Mutex<Counts>,
    none_open: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    cut_off: u64,
}

/// An open transaction. Dropped without its [`end`](Self::ended) it was cut off, and is rolled back.
#[derive(Debug)]
pub(crate) struct OpenTransaction {
    shared: Arc<Shared>,
    has_ended: bool,
}

impl OpenTransactions {
    pub(super) fn begin(&self) -> OpenTransaction {
        self.0.counts.lock().open += 1;
        OpenTransaction { shared: Arc::clone(&self.0), has_ended: false }
    }

    /// Waits until none is open, at most until the deadline.
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
        // What is open then is cut off.
        let _ = tokio::time::timeout_at(deadline.into(), all_ended).await;
    }

    /// How many are open, or were cut off.
    pub(super) fn unfinished(&self) -> u64 {
        let counts = self.0.counts.lock();
        counts.open as u64 + counts.cut_off
    }
}

impl OpenTransaction {
    pub(crate) fn ended(mut self) {
        self.has_ended = true;
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        let mut counts = self.shared.counts.lock();
        counts.open -= 1;
        counts.cut_off += u64::from(!self.has_ended);
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
    async fn the_stop_waits_for_what_is_open_and_counts_what_it_cuts_off() {
        let transactions = OpenTransactions::default();
        let first = transactions.begin();
        let second = transactions.begin();
        let waiting = transactions.clone();
        #[expect(clippy::disallowed_methods, reason = "a test, with no request")]
        let waited = actix_web::rt::spawn(async move { waiting.wait(Instant::now() + Duration::from_secs(60)).await });
        first.ended();
        assert_eq!(transactions.unfinished(), 1);
        drop(second);
        waited.await.expect("it waits until none is open");
        assert_eq!(transactions.unfinished(), 1, "one was cut off");
        let _third = transactions.begin();
        transactions.wait(Instant::now()).await;
        assert_eq!(transactions.unfinished(), 2);
    }
}
