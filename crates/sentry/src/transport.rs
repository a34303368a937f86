//! The transport of the SDK's client: a queue and a worker.
//!
//! It replaces the SDK's default transport, which silently drops envelopes when its queue of 30 is full, and can block forever.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sentry::protocol::EnvelopeItem;
use sentry::types::Dsn;
use sentry::{Envelope, Transport as SdkTransport, TransportFactory, TransportOptions};

use crate::clock::{self, Clock};
use crate::endpoint::{Endpoint, SendError};
use crate::fallback::Fallback;
use crate::queue::{Queue, QueuedEnvelope};
use crate::scrub::Scrubber;
use crate::worker::TransportWorker;

/// Maximum total size of the queued envelopes.
pub(crate) const QUEUE_BYTES: usize = 32 << 20;

pub(crate) struct Factory {
    queue: Arc<Queue>,
    fallback: Fallback,
    scrubber: Arc<Scrubber>,
}

impl Factory {
    pub(crate) fn new(queue: Arc<Queue>, fallback: Fallback, scrubber: Arc<Scrubber>) -> Self {
        Self { queue, fallback, scrubber }
    }
}

impl TransportFactory for Factory {
    fn create_transport_with_options(&self, options: TransportOptions) -> Arc<dyn SdkTransport> {
        let endpoint = Endpoint::new(&options.dsn, &options.user_agent);
        let scrubber = Arc::clone(&self.scrubber);
        let queue = Arc::clone(&self.queue);
        Arc::new(Transport::start(queue, endpoint, self.fallback.clone(), scrubber, clock::system()))
    }
}

pub(crate) struct Transport {
    pub queue: Arc<Queue>,
    fallback: Fallback,
    scrubber: Arc<Scrubber>,
}

impl Transport {
    /// Starts the thread that sends the queued envelopes.
    pub(crate) fn start(
        queue: Arc<Queue>,
        endpoint: Endpoint,
        fallback: Fallback,
        scrubber: Arc<Scrubber>,
        clock: Clock,
    ) -> Self {
        let worker = TransportWorker::new(Arc::clone(&queue), endpoint, fallback.clone(), clock);
        let work = move || {
            cyanotype_telemetry::mute_this_thread();
            worker.run();
        };
        let thread = std::thread::Builder::new().name("sentry".into()).spawn(work);
        thread.expect("the thread that sends events to Sentry cannot be started");
        Self { queue, fallback, scrubber }
    }
}

/// Scrubs the transactions of an envelope; its events are already scrubbed.
fn scrubbed(scrubber: &Scrubber, envelope: Envelope) -> Envelope {
    if !envelope.items().any(|item| matches!(item, EnvelopeItem::Transaction(_))) {
        return envelope;
    }
    let mut clean = Envelope::new();
    for item in envelope.items() {
        match item {
            EnvelopeItem::Transaction(transaction) => {
                let mut transaction = (**transaction).clone();
                scrubber.transaction(&mut transaction);
                clean.add_item(transaction);
            }
            other => clean.add_item(other.clone()),
        }
    }
    clean
}

impl SdkTransport for Transport {
    fn send_envelope(&self, envelope: Envelope) {
        let Some(envelope) = QueuedEnvelope::new(&scrubbed(&self.scrubber, envelope)) else { return };
        if let Err(envelope) = self.queue.push(envelope) {
            self.fallback.spool(&envelope, "transport queue full or closed");
        }
    }

    fn flush(&self, timeout: Duration) -> bool {
        self.queue.wait_idle(Instant::now() + timeout)
    }

    /// Sends queued envelopes until the timeout, then spools the remaining ones or writes them to stderr.
    fn shutdown(&self, timeout: Duration) -> bool {
        let all_sent = self.flush(timeout);
        let left = self.queue.close();
        self.fallback.skip_fsync();
        for envelope in left {
            self.fallback.spool(&envelope, "service stopped before delivery");
        }
        self.fallback.report_losses();
        all_sent
    }
}

/// Sends an envelope, bypassing the queue, and waits for the response.
pub(crate) fn send_now(dsn: &Dsn, user_agent: &str, envelope: &Envelope) -> Result<(), String> {
    let envelope = QueuedEnvelope::new(envelope).ok_or("cannot serialize the event")?;
    Endpoint::new(dsn, user_agent).post(&envelope.bytes).map_err(|error| match error {
        SendError::Permanent(reason) | SendError::Temporary(reason) => reason,
    })
}

#[cfg(test)]
mod tests;
