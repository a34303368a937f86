//! Which worker threads respond: each answers pings between its other tasks, so a worker that is blocked does not.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, ThreadId};

use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// The worker threads of a listener.
#[derive(Clone, Default)]
pub(crate) struct Workers(Arc<Mutex<HashMap<ThreadId, UnboundedSender<Ping>>>>);

/// The sender of the answer.
type Ping = oneshot::Sender<()>;

/// One ping to each worker.
pub(crate) struct Round(Vec<oneshot::Receiver<()>>);

impl Workers {
    /// Lets the current thread, a worker that has just started, answer pings.
    #[expect(clippy::disallowed_methods, reason = "a task of the worker, which has no request")]
    pub(crate) fn register(&self) {
        let (sender, mut pings) = unbounded_channel::<Ping>();
        // A worker registers for each address that it serves; the last one counts.
        self.0.lock().insert(thread::current().id(), sender);
        actix_web::rt::spawn(async move {
            while let Some(ping) = pings.recv().await {
                // Nobody waits for the answer any more.
                let _ = ping.send(());
            }
        });
    }

    /// Sends a ping to each worker. Those that have ended are left out: actix replaces them.
    pub(crate) fn ping(&self) -> Round {
        let mut workers = self.0.lock();
        workers.retain(|_, worker| !worker.is_closed());
        let send = |worker: &UnboundedSender<Ping>| {
            let (answer, answered) = oneshot::channel();
            worker.send(answer).is_ok().then_some(answered)
        };
        Round(workers.values().filter_map(send).collect())
    }
}

impl Round {
    /// Waits until each worker has answered or ended.
    pub(crate) async fn answered(&mut self) {
        while let Some(answer) = self.0.last_mut() {
            // An error: the worker has ended.
            let _ = answer.await;
            self.0.pop();
        }
    }

    /// The number of workers that have not answered yet.
    pub(crate) fn unanswered(&mut self) -> usize {
        self.0
            .iter_mut()
            .filter_map(|answer| answer.try_recv().err())
            .filter(|error| *error == oneshot::error::TryRecvError::Empty)
            .count()
    }
}
