//! Flags of this process and of its requests.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc as jobs, oneshot};

use crate::cache::{Cache, Key};
use crate::context::{ProcessContext, Subject};
use crate::evaluated_flags::EvaluatedFlags;
use crate::events::{FlagEvent, FlagEvents};
use crate::shared::{EVALUATION_TIMEOUT, SharedState};
use crate::source::FlagSource;
use crate::worker::{Job, Worker};

/// The longest that a start waits for the flags of the process.
const START_TIMEOUT: Duration = Duration::from_secs(2);

/// The most evaluations at a time: what comes beyond sets nothing.
const MAX_EVALUATIONS: usize = 256;

/// Flags of this process and of its requests, evaluated on a thread of their own.
///
/// The source's own lines would repeat for each request what is noticed once: the thread has none.
#[derive(Clone)]
pub struct Flags {
    jobs: jobs::UnboundedSender<Job>,
    shared: Arc<SharedState>,
    permits: Arc<Semaphore>,
}

impl Flags {
    /// Starts to evaluate flags, and waits a moment for those of the process. They are evaluated again every two seconds.
    ///
    /// `notify` is called on the flags' own thread.
    #[must_use]
    pub fn start(
        source: FlagSource,
        process: ProcessContext,
        notify: impl Fn(FlagEvent) + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(SharedState { events: FlagEvents::new(notify), cache: Cache::new() });
        let (sender, jobs) = jobs::unbounded_channel();
        let (ready, is_ready) = mpsc::channel();
        let worker = Worker::new(source, process, Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("flags".into());
        if let Err(error) = thread.spawn(move || worker.run(jobs, &ready)) {
            shared.events.unavailable(format!("their thread did not start: {error}"));
        }
        // The thread has gone, or goes on to try.
        let _ = is_ready.recv_timeout(START_TIMEOUT);
        Self { jobs: sender, shared, permits: Arc::new(Semaphore::new(MAX_EVALUATIONS)) }
    }

    /// The flags of a request. It takes no longer than [`EVALUATION_TIMEOUT`]; values are as they were at most a second ago.
    ///
    /// It needs a tokio runtime that has time enabled.
    pub async fn evaluate(&self, subject: &Subject<'_>) -> EvaluatedFlags {
        if !self.shared.events.is_available() {
            return EvaluatedFlags::default();
        }
        let key = Key::from(subject);
        if let Some(values) = self.shared.cache.get(&key) {
            return values;
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return EvaluatedFlags::default() };
        let (reply, values) = oneshot::channel();
        let job = Job { key, context: subject.context(), reply, _permit: permit };
        if self.jobs.send(job).is_err() {
            return EvaluatedFlags::default();
        }
        match tokio::time::timeout(EVALUATION_TIMEOUT, values).await {
            Ok(Ok(values)) => values,
            _ => EvaluatedFlags::default(),
        }
    }
}
