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
                // No one waits for the answer any more.
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

    /// The number of workers that have neither answered nor ended yet. The others are not awaited any more.
    pub(crate) fn unanswered(&mut self) -> usize {
        self.0.retain_mut(|answer| answer.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn answers_that_were_counted_are_not_awaited_again() {
        for hung in [0, 1, 2] {
            let (answers, answered): (Vec<_>, Vec<_>) = (0..3).map(|_| oneshot::channel()).unzip();
            let mut round = Round(answered);
            let mut answers: Vec<Option<Ping>> = answers.into_iter().map(Some).collect();
            let last = answers[hung].take().expect("each worker has a channel");
            for answer in answers.into_iter().flatten() {
                answer.send(()).expect("the round waits");
            }
            assert_eq!(round.unanswered(), 1, "worker {hung}");
            last.send(()).expect("the round waits");
            round.answered().await;
            assert_eq!(round.unanswered(), 0);
        }
    }
}
