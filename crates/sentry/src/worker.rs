//! The thread that sends envelopes to Sentry.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::drain::{DrainOutcome, SpoolDrain};
use crate::endpoint::{Endpoint, SendError};
use crate::fallback::Fallback;
use crate::queue::{Next, Queue, QueuedEnvelope};

/// Delays between the attempts to send an envelope.
const RETRY_DELAYS: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(400)];

pub(crate) struct TransportWorker {
    queue: Arc<Queue>,
    endpoint: Endpoint,
    fallback: Fallback,
    clock: Clock,
    backoff: Backoff,
    drain: SpoolDrain,
}

impl TransportWorker {
    pub(crate) fn new(queue: Arc<Queue>, endpoint: Endpoint, fallback: Fallback, clock: Clock) -> Self {
        let drain = SpoolDrain::new(Arc::clone(&clock));
        Self { queue, endpoint, fallback, clock, backoff: Backoff::default(), drain }
    }

    /// Sends queued envelopes and drains the spool until the queue is closed.
    pub(crate) fn run(mut self) {
        loop {
            match self.queue.next(&self.clock, self.due()) {
                Next::Send(envelope) => self.deliver(&envelope),
                Next::Due if self.drain_due().is_some_and(|due| self.is_past(due)) => self.drain(),
                Next::Due => {}
                Next::Closed => return,
            }
            if self.fallback.losses_due().is_some_and(|due| self.is_past(due)) {
                self.fallback.report_losses();
            }
        }
    }

    fn is_past(&self, due: Instant) -> bool {
        due <= (self.clock)()
    }

    fn drain_due(&self) -> Option<Instant> {
        (self.fallback.has_spool() && !self.queue.is_paused()).then(|| self.drain.due(&self.backoff))
    }

    /// When work is due that does not depend on a new envelope.
    fn due(&self) -> Option<Instant> {
        [self.drain_due(), self.fallback.losses_due()].into_iter().flatten().min()
    }

    /// Sends an envelope, or passes it to the fallback if that fails. A panic, which the panic hook has reported, ends only this
    /// delivery.
    fn deliver(&mut self, envelope: &QueuedEnvelope) {
        let sent = catch_unwind(AssertUnwindSafe(|| self.send(envelope)));
        let sent = sent.unwrap_or_else(|_| Err(SendError::Permanent("delivery panicked".into())));
        if matches!(sent, Err(SendError::Temporary(_))) && self.queue.requeue_if_paused() {
            return;
        }
        self.queue.finish_delivery(|| match sent {
            Ok(()) => {}
            Err(SendError::Temporary(reason)) => self.fallback.spool(envelope, &reason),
            Err(SendError::Permanent(reason)) => self.fallback.write_undeliverable(envelope, &reason),
        });
    }

    fn send(&mut self, envelope: &QueuedEnvelope) -> Result<(), SendError> {
        if let Some(reason) = self.backoff.reason((self.clock)()) {
            return Err(SendError::Temporary(reason.to_owned()));
        }
        if self.endpoint.rate_limited_for(envelope.category).is_some() {
            return Err(SendError::Temporary("rate limited by Sentry".into()));
        }
        let mut delays = RETRY_DELAYS.into_iter();
        loop {
            let reason = match self.endpoint.post(&envelope.bytes) {
                Ok(()) => {
                    self.succeeded();
                    return Ok(());
                }
                Err(SendError::Temporary(reason)) => reason,
                permanent => return permanent,
            };
            match (self.endpoint.rate_limited_for(envelope.category), delays.next()) {
                (None, Some(delay)) if self.queue.wait_interrupted(delay) => {
                    return Err(SendError::Temporary("service stopped before delivery".into()));
                }
                (None, Some(_)) => {}
                (retry_after, _) => {
                    self.back_off(&reason, retry_after);
                    return Err(SendError::Temporary(reason));
                }
            }
        }
    }

    /// Sends one envelope of the spool.
    fn drain(&mut self) {
        // As in `deliver`, a panic has already been reported.
        let _ = catch_unwind(AssertUnwindSafe(|| match self.drain.send_next(&mut self.endpoint, &self.fallback) {
            Some(DrainOutcome::Sent) => self.succeeded(),
            Some(DrainOutcome::Failed { reason, retry_after }) => self.back_off(&reason, retry_after),
            None => {}
        }));
    }

    fn succeeded(&mut self) {
        if self.backoff.reset() {
            self.fallback.log_available();
        }
    }

    fn back_off(&mut self, reason: &str, retry_after: Option<Duration>) {
        if self.backoff.back_off((self.clock)(), reason, retry_after) {
            self.fallback.log_unavailable(reason);
        }
        self.drain.resume_after_backoff();
    }
}

#[cfg(test)]
mod tests;
