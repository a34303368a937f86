//! The transport of the SDK's client: a queue and a worker.
//!
//! It replaces the SDK's default transport, which silently drops envelopes when its queue of 30 is full, and can block forever.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sentry::types::Dsn;
use sentry::{Envelope, Transport as SdkTransport, TransportFactory, TransportOptions};

use crate::clock::{self, Clock};
use crate::endpoint::Endpoint;
use crate::fallback::Fallback;
use crate::items::ItemFilter;
use crate::queue::{Queue, QueuedEnvelope};
use crate::undelivered::Undelivered;
use crate::worker::TransportWorker;

/// Maximum total size of the queued envelopes.
pub(crate) const QUEUE_BYTES: usize = 32 << 20;

pub(crate) struct Factory {
    queue: Arc<Queue>,
    fallback: Fallback,
    items: Arc<ItemFilter>,
}

impl Factory {
    pub(crate) fn new(queue: Arc<Queue>, fallback: Fallback, items: Arc<ItemFilter>) -> Self {
        Self { queue, fallback, items }
    }
}

impl TransportFactory for Factory {
    fn create_transport_with_options(&self, options: TransportOptions) -> Arc<dyn SdkTransport> {
        self.fallback.reports.connect(options.client_report_recorder);
        let endpoint = Endpoint::new(&options.dsn, &options.user_agent, clock::system());
        let items = Arc::clone(&self.items);
        let queue = Arc::clone(&self.queue);
        Arc::new(Transport::start(queue, endpoint, self.fallback.clone(), items, clock::system()))
    }
}

pub(crate) struct Transport {
    pub queue: Arc<Queue>,
    pub fallback: Fallback,
    items: Arc<ItemFilter>,
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
        Self { queue, fallback, items }
    }
}

impl SdkTransport for Transport {
    fn send_envelope(&self, envelope: Envelope) {
        let Some(envelope) = self.items.scrubbed(envelope, &self.fallback) else { return };
        let Some(envelope) = QueuedEnvelope::new(&envelope) else { return };
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
        self.items.report_dropped(&self.fallback);
        self.fallback.report_losses();
        all_sent
    }
}

/// Sends an envelope, bypassing the queue, and waits for the response.
pub(crate) fn send_now(dsn: &Dsn, user_agent: &str, envelope: &Envelope) -> Result<(), String> {
    let envelope = QueuedEnvelope::new(envelope).ok_or("cannot serialize the event")?;
    let mut endpoint = Endpoint::new(dsn, user_agent, clock::system());
    endpoint.post(&envelope.bytes).map_err(|why| why.reason().to_owned())
}

#[cfg(test)]
mod tests;
