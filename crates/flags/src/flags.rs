//! Flags of this process and of its requests.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc as jobs, oneshot};

use crate::cache::{Cache, Key};
use crate::context::{Process, Subject};
use crate::notices::{Notice, Notices};
use crate::shared::{LIMIT, Shared};
use crate::source::FlagSource;
use crate::values::Values;
use crate::worker::{Job, Worker};

/// The longest that a start waits for the flags of the process.
const START_LIMIT: Duration = Duration::from_secs(2);

/// The most evaluations at a time: what comes beyond sets nothing.
const MAX_EVALUATIONS: usize = 256;

/// Flags of this process and of its requests, evaluated on a thread of their own.
///
/// The source's own lines would repeat for each request what is noticed once: the thread has none.
#[derive(Clone)]
pub struct Flags {
    jobs: jobs::UnboundedSender<Job>,
    shared: Arc<Shared>,
    permits: Arc<Semaphore>,
}

impl Flags {
    /// Starts to evaluate flags, and waits a moment for those of the process. They are evaluated again every two seconds.
    ///
    /// `notify` is called on the flags' own thread.
    #[must_use]
    pub fn start(source: FlagSource, process: Process, notify: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { notices: Notices::new(notify), cache: Cache::new() });
        let (sender, jobs) = jobs::unbounded_channel();
        let (ready, is_ready) = mpsc::channel();
        let worker = Worker::new(source, process, Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("flags".into());
        if let Err(error) = thread.spawn(move || worker.run(jobs, &ready)) {
            shared.notices.away(format!("their thread did not start: {error}"));
        }
        // The thread has gone, or goes on to try.
        let _ = is_ready.recv_timeout(START_LIMIT);
        Self { jobs: sender, shared, permits: Arc::new(Semaphore::new(MAX_EVALUATIONS)) }
    }

    /// The flags of a request. It takes no longer than [`LIMIT`]; values are as they were at most a second ago.
    ///
    /// It needs a tokio runtime that has time enabled.
    pub async fn evaluate(&self, subject: &Subject<'_>) -> Values {
        if !self.shared.notices.is_available() {
            return Values::default();
        }
        let key = Key::from(subject);
        if let Some(values) = self.shared.cache.get(&key) {
            return values;
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return Values::default() };
        let (reply, values) = oneshot::channel();
        let job = Job { key, context: subject.context(), reply, _permit: permit };
        if self.jobs.send(job).is_err() {
            return Values::default();
        }
        match tokio::time::timeout(LIMIT, values).await {
            Ok(Ok(values)) => values,
            _ => Values::default(),
        }
    }
}
