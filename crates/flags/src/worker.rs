//! The thread that evaluates the flags.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use cyanotype_telemetry::mute_this_thread;
use open_feature::{Client, EvaluationContext};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::cache::Key;
use crate::context::{ProcessContext, Subject};
use crate::evaluated_flags::EvaluatedFlags;
use crate::evaluation::evaluate;
use crate::shared::{EVALUATION_TIMEOUT, SharedState};
use crate::source::FlagSource;

/// How often the flags of the process are evaluated, and an unavailable provider is tried again.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Timeout of the first evaluation, which may have to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A request whose flags are to be evaluated.
pub(crate) struct Job {
    pub key: Key,
    pub context: EvaluationContext,
    pub reply: oneshot::Sender<EvaluatedFlags>,
    pub _permit: OwnedSemaphorePermit,
}

pub(crate) struct Worker {
    source: FlagSource,
    process: ProcessContext,
    shared: Arc<SharedState>,
    /// The client, and the content of the flag file that it was created for.
    connected: Option<(Arc<Client>, Option<Vec<u8>>)>,
}

impl Worker {
    pub(crate) fn new(source: FlagSource, process: ProcessContext, shared: Arc<SharedState>) -> Self {
        Self { source, process, shared, connected: None }
    }

    /// Runs until all senders of jobs are dropped. Signals on `ready` after each evaluation of the process flags.
    pub(crate) fn run(self, jobs: UnboundedReceiver<Job>, ready: &mpsc::Sender<()>) {
        mute_this_thread();
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.work(jobs, ready)),
            Err(error) => {
                self.shared.events.unavailable(format!("cannot start the runtime of the flags thread: {error}"))
            }
        }
    }

    async fn work(mut self, mut jobs: UnboundedReceiver<Job>, ready: &mpsc::Sender<()>) {
        let mut ticks = interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                job = jobs.recv() => match job {
                    Some(job) => self.begin(job),
                    None => return,
                },
                _ = ticks.tick() => {
                    self.evaluate_process().await;
                    // Only `Flags::start` receives it, once.
                    let _ = ready.send(());
                }
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the request awaits the result and records everything itself")]
    fn begin(&self, job: Job) {
        let Some((client, _)) = &self.connected else { return };
        tokio::spawn(evaluate_job(job, Arc::clone(client), Arc::clone(&self.shared)));
    }

    /// Evaluates the flags of the process, which also determines whether the provider is available.
    async fn evaluate_process(&mut self) {
        match self.try_evaluate_process().await {
            Ok(values) => {
                self.shared.events.available();
                // `log-debug-request` applies to requests only.
                self.shared.events.process_flags(EvaluatedFlags { debug: false, ..values });
            }
            Err(reason) => {
                self.connected = None;
                self.shared.cache.clear();
                self.shared.events.unavailable(reason);
            }
        }
    }

    async fn try_evaluate_process(&mut self) -> Result<EvaluatedFlags, String> {
        let client = self.connect().await?;
        let began = Instant::now();
        let values = self.evaluate_within(CONNECT_TIMEOUT, &client).await?;
        // A provider that is too slow for requests counts as unavailable; otherwise its state would alternate.
        if began.elapsed() <= EVALUATION_TIMEOUT {
            Ok(values)
        } else {
            self.evaluate_within(EVALUATION_TIMEOUT, &client).await
        }
    }

    async fn evaluate_within(&self, limit: Duration, client: &Client) -> Result<EvaluatedFlags, String> {
        let context = Subject::default().context();
        let evaluation = evaluate(client, &context, &self.shared.events);
        timeout(limit, evaluation).await.unwrap_or_else(|_| Err(timed_out(limit)))
    }

    /// Returns the client. Creates a new one if there is none or the file has changed, since not every file system reports
    /// changes to flagd.
    async fn connect(&mut self) -> Result<Arc<Client>, String> {
        let content = self.source.content().await?;
        if let Some((client, known)) = &self.connected
            && *known == content
        {
            return Ok(Arc::clone(client));
        }
        let client = timeout(CONNECT_TIMEOUT, self.source.connect(&self.process)).await;
        let client = Arc::new(client.map_err(|_| timed_out(CONNECT_TIMEOUT))??);
        self.connected = Some((Arc::clone(&client), content));
        self.shared.cache.clear();
        Ok(client)
    }
}

fn timed_out(limit: Duration) -> String {
    format!("no response within {} ms", limit.as_millis())
}

async fn evaluate_job(job: Job, client: Arc<Client>, shared: Arc<SharedState>) {
    let evaluation = evaluate(&client, &job.context, &shared.events);
    match timeout(EVALUATION_TIMEOUT, evaluation).await.unwrap_or_else(|_| Err(timed_out(EVALUATION_TIMEOUT))) {
        Ok(values) => {
            shared.cache.put(job.key, values);
            // The request may have been cancelled.
            let _ = job.reply.send(values);
        }
        // Unavailable until the flags of the process are evaluated again.
        Err(reason) => shared.events.unavailable(reason),
    }
}
