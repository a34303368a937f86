//! Connections that were accepted and have not sent a request yet. The shutdown waits for their first request: the client
//! cannot know that it was accepted too late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::workers::Workers;

/// How long no connection must have been accepted until accepting has surely stopped.
const QUIET: Duration = Duration::from_millis(50);
/// The maximum time to wait for that.
const SETTLE_LIMIT: Duration = Duration::from_millis(500);
/// How long a new connection may take to send its request.
const FIRST_REQUEST: Duration = Duration::from_secs(1);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The new connections of all workers.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewConnections(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicUsize,
    waiting: AtomicUsize,
}

/// A connection. It is new until its first request, or its end.
#[derive(Debug)]
pub(crate) struct NewConnection {
    counters: Arc<Counters>,
    is_waiting: AtomicBool,
}

impl NewConnections {
    /// Counts a connection.
    pub(crate) fn accept(&self) -> NewConnection {
        self.0.accepted.fetch_add(1, Ordering::Relaxed);
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        NewConnection { counters: Arc::clone(&self.0), is_waiting: AtomicBool::new(true) }
    }

    /// Waits until the listener has stopped accepting after a pause, and the workers have received what it had
    /// accepted: actix does not report that.
    pub(crate) async fn settle(&self, workers: &Workers, deadline: Instant) {
        let deadline = deadline.min(Instant::now() + SETTLE_LIMIT);
        loop {
            let before = self.0.accepted.load(Ordering::Relaxed);
            sleep(QUIET.min(remaining(deadline))).await;
            // In the first round a worker receives its connections, in the second it reads from them.
            for _ in 0..2 {
                let _ = timeout(remaining(deadline), workers.ping().answered()).await;
            }
            if self.0.accepted.load(Ordering::Relaxed) == before || remaining(deadline).is_zero() {
                return;
            }
        }
    }

    /// Waits until each connection has begun its first request, at most a second.
    pub(crate) async fn wait(&self, workers: &Workers, deadline: Instant) {
        let deadline = deadline.min(Instant::now() + FIRST_REQUEST);
        while self.0.waiting.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
            sleep(POLL_INTERVAL).await;
        }
        // A request that has just begun is counted as in flight when its worker answers.
        let _ = timeout(remaining(deadline), workers.ping().answered()).await;
    }
}

impl NewConnection {
    /// A request has begun: from now on it is the request that counts.
    pub(crate) fn begin_request(&self) {
        if self.is_waiting.load(Ordering::Relaxed) && self.is_waiting.swap(false, Ordering::Relaxed) {
            self.counters.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for NewConnection {
    fn drop(&mut self) {
        self.begin_request();
    }
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
