//! The transport of the SDK's client: a queue and a worker.
//!
//! It replaces the SDK's default transport, which silently drops envelopes when its queue of 30 is full, and can block forever.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cyanotype_telemetry::Settings;
use sentry::types::Dsn;
use sentry::{Envelope, Transport as SdkTransport, TransportFactory, TransportOptions};

use crate::clock::{self, Clock};
use crate::endpoint::Endpoint;
use crate::fallback::Fallback;
use crate::items::ItemFilter;
use crate::queue::Queue;
use crate::queued_envelope::QueuedEnvelope;
use crate::spotlight::Spotlight;
use crate::undelivered::Undelivered;
use crate::worker::TransportWorker;

/// Maximum total size of the queued envelopes.
pub(crate) const QUEUE_BYTES: usize = 32 << 20;

pub(crate) struct Factory {
    queue: Arc<Queue>,
    fallback: Fallback,
    items: Arc<ItemFilter>,
    connection: Connection,
}

/// Where envelopes are sent, besides the DSN.
pub(crate) struct Connection {
    /// A file with certificate authorities.
    ca_file: Option<PathBuf>,
    /// The URL of a local Spotlight.
    spotlight: Option<String>,
    /// Whether there is no DSN, so that only Spotlight gets them.
    spotlight_only: bool,
}

impl Connection {
    pub(crate) fn from_settings(settings: &Settings) -> Self {
        Self {
            ca_file: settings.sentry.ca_file.as_ref().map(PathBuf::from),
            spotlight: settings.sentry.spotlight(settings.env),
            spotlight_only: settings.sentry.dsn.is_none(),
        }
    }
}

impl Factory {
    pub(crate) fn new(queue: Arc<Queue>, fallback: Fallback, items: Arc<ItemFilter>, connection: Connection) -> Self {
        Self { queue, fallback, items, connection }
    }
}

impl TransportFactory for Factory {
    fn create_transport_with_options(&self, options: TransportOptions) -> Arc<dyn SdkTransport> {
        self.fallback.reports.connect(options.client_report_recorder);
        let (endpoint, problems) =
            Endpoint::new(&options.dsn, &options.user_agent, self.connection.ca_file.as_deref(), clock::system());
        problems.into_iter().for_each(|problem| self.fallback.log_connection_problem(problem));
        let items = Arc::clone(&self.items);
        let queue = Arc::clone(&self.queue);
        let mut transport = Transport::start(queue, endpoint, self.fallback.clone(), items, clock::system());
        transport.spotlight = self.connection.spotlight.clone().map(|url| {
            let fallback = self.fallback.clone();
            Spotlight::start(url, move |problem| fallback.log_connection_problem(problem))
        });
        transport.spotlight_only = self.connection.spotlight_only;
        Arc::new(transport)
    }
}

pub(crate) struct Transport {
    pub queue: Arc<Queue>,
    pub fallback: Fallback,
    items: Arc<ItemFilter>,
    spotlight: Option<Spotlight>,
    spotlight_only: bool,
}

impl Transport {
    /// Starts the thread that sends the queued envelopes.
    pub(crate) fn start(
        queue: Arc<Queue>,
        endpoint: Endpoint,
        fallback: Fallback,
        items: Arc<ItemFilter>,
        clock: Clock,
    ) -> Self {
        let worker = TransportWorker::new(Arc::clone(&queue), endpoint, fallback.clone(), clock);
        let work = move || {
            cyanotype_telemetry::mute_this_thread();
            worker.run();
        };
        let thread = std::thread::Builder::new().name("sentry".into()).spawn(work);
        thread.expect("the thread that sends events to Sentry cannot be started");
        Self { queue, fallback, items, spotlight: None, spotlight_only: false }
    }
}

impl SdkTransport for Transport {
    fn send_envelope(&self, envelope: Envelope) {
        let Some(envelope) = self.items.scrubbed(envelope, &self.fallback) else { return };
        let Some(envelope) = QueuedEnvelope::new(&envelope) else { return };
        if let Some(spotlight) = &self.spotlight {
            spotlight.copy(&envelope.bytes);
        }
        if self.spotlight_only {
            return;
        }
        for rejected in self.queue.push(envelope) {
            self.fallback.undelivered(&rejected, &Undelivered::QueueFull);
        }
    }

    fn flush(&self, timeout: Duration) -> bool {
        self.queue.wait_idle(Instant::now() + timeout)
    }

    /// Sends queued envelopes until the timeout, then spools the remaining events or writes them to stderr.
    fn shutdown(&self, timeout: Duration) -> bool {
        let all_sent = self.flush(timeout);
        let left = self.queue.close();
        self.fallback.skip_fsync();
        for envelope in left {
            self.fallback.undelivered(&envelope, &Undelivered::Stopped);
        }
        self.fallback.report_losses();
        all_sent
    }
}

/// Sends an envelope, bypassing the queue, and waits for the response.
pub(crate) fn send_now(dsn: &Dsn, user_agent: &str, ca_file: Option<&Path>, envelope: &Envelope) -> Result<(), String> {
    let envelope = QueuedEnvelope::new(envelope).ok_or("cannot serialize the event")?;
    let (mut endpoint, problems) = Endpoint::new(dsn, user_agent, ca_file, clock::system());
    endpoint.post(&envelope.bytes).map_err(|why| {
        let reasons = std::iter::once(why.reason()).chain(problems.iter().map(String::as_str));
        reasons.collect::<Vec<_>>().join("; ")
    })
}

#[cfg(test)]
mod tests;
