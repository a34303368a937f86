//! The handle that evaluates flags.

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

/// Maximum time that [`Flags::start`] waits for the flags of the process.
const START_TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum number of concurrent evaluations. The flags of a request beyond it set nothing.
const MAX_EVALUATIONS: usize = 256;

/// Evaluates the flags of the process and of its requests, on a dedicated thread.
///
/// Logging is disabled on that thread: the client libraries would log for each request what this crate reports once.
#[derive(Clone)]
pub struct Flags {
    jobs: jobs::UnboundedSender<Job>,
    shared: Arc<SharedState>,
    permits: Arc<Semaphore>,
}

impl Flags {
    /// Starts the thread, and waits up to two seconds for the flags of the process. They are evaluated again every two seconds.
    ///
    /// `notify` is called on the thread that evaluates the flags.
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
            shared.events.unavailable(format!("cannot start the flags thread: {error}"));
        }
        // On a timeout the thread keeps trying.
        let _ = is_ready.recv_timeout(START_TIMEOUT);
        Self { jobs: sender, shared, permits: Arc::new(Semaphore::new(MAX_EVALUATIONS)) }
    }

    /// Evaluates the flags of a request within [`EVALUATION_TIMEOUT`]. Values may be cached for up to one second.
    ///
    /// Requires a tokio runtime with the time driver enabled.
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
