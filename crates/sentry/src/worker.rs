//! The thread that sends envelopes to Sentry.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::category::Category;
use crate::clock::Clock;
use crate::drain::{DrainOutcome, SpoolDrain};
use crate::endpoint::Endpoint;
use crate::fallback::Fallback;
use crate::queue::{Next, Queue};
use crate::queued_envelope::QueuedEnvelope;
use crate::undelivered::Undelivered;

/// Delays between the attempts to send an event. Anything else is tried once.
const RETRY_DELAYS: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(400)];

pub(crate) struct TransportWorker {
    queue: Arc<Queue>,
    endpoint: Endpoint,
    fallback: Fallback,
    clock: Clock,
    backoff: Backoff,
    /// The backoff of envelopes without an event, which must not delay events.
    others_backoff: Backoff,
    drain: SpoolDrain,
}

impl TransportWorker {
    pub(crate) fn new(queue: Arc<Queue>, endpoint: Endpoint, fallback: Fallback, clock: Clock) -> Self {
        let drain = SpoolDrain::new(Arc::clone(&clock));
        Self {
            queue,
            endpoint,
            fallback,
            clock,
            backoff: Backoff::default(),
            others_backoff: Backoff::default(),
            drain,
        }
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
        let sent = catch_unwind(AssertUnwindSafe(|| match envelope.is_event() {
            true => self.send(envelope),
            false => self.send_other(envelope),
        }));
        let sent = sent.unwrap_or_else(|_| Err(Undelivered::Refused("delivery panicked".into())));
        let may_be_sent_later = !matches!(sent, Ok(()) | Err(Undelivered::Refused(_)));
        if may_be_sent_later && self.queue.requeue_if_paused() {
            return;
        }
        self.queue.finish_delivery(|| match sent {
            Ok(()) => self.fallback.counts.add_sent(envelope.category),
            Err(why) => self.fallback.undelivered(envelope, &why),
        });
    }

    fn send(&mut self, envelope: &QueuedEnvelope) -> Result<(), Undelivered> {
        if let Some(reason) = self.backoff.reason((self.clock)()) {
            return Err(Undelivered::Unavailable(reason.to_owned()));
        }
        if self.endpoint.rate_limited_for(envelope.category).is_some() {
            return Err(Undelivered::HeldBack);
        }
        let mut delays = RETRY_DELAYS.into_iter();
        loop {
            let why = match self.endpoint.post(&envelope.bytes) {
                Ok(()) => {
                    self.succeeded();
                    return Ok(());
                }
                refused @ Err(Undelivered::Refused(_)) => return refused,
                Err(why) => why,
            };
            match (self.endpoint.rate_limited_for(envelope.category), delays.next()) {
                (None, Some(delay)) if self.queue.wait_interrupted(delay) => {
                    return Err(Undelivered::Stopped);
                }
                (None, Some(_)) => {}
                (retry_after, _) => {
                    self.back_off(&why, retry_after);
                    return Err(why);
                }
            }
        }
    }

    /// Sends an envelope without an event, at most once: it must not delay events.
    fn send_other(&mut self, envelope: &QueuedEnvelope) -> Result<(), Undelivered> {
        let now = (self.clock)();
        if let Some(reason) = self.backoff.outage(now).or_else(|| self.others_backoff.reason(now)) {
            return Err(Undelivered::Unavailable(reason.to_owned()));
        }
        if self.endpoint.rate_limited_for(envelope.category).is_some() {
            return Err(Undelivered::HeldBack);
        }
        let sent = self.endpoint.post(&envelope.bytes);
        match &sent {
            Ok(()) => _ = self.others_backoff.reset(),
            Err(Undelivered::Unavailable(reason)) => _ = self.others_backoff.back_off(now, reason, None),
            Err(_) => {}
        }
        sent
    }

    /// Sends one envelope of the spool.
    fn drain(&mut self) {
        // As in `deliver`, a panic has already been reported.
        let _ = catch_unwind(AssertUnwindSafe(|| match self.drain.send_next(&mut self.endpoint, &self.fallback) {
            Some(DrainOutcome::Sent) => {
                self.fallback.counts.add_sent(Category::Event);
                self.succeeded();
            }
            Some(DrainOutcome::Failed { why, retry_after }) => self.back_off(&why, retry_after),
            None => {}
        }));
    }

    fn succeeded(&mut self) {
        if self.backoff.reset() {
            self.fallback.log_available();
        }
    }

    fn back_off(&mut self, why: &Undelivered, retry_after: Option<Duration>) {
        let reason = why.reason();
        if self.backoff.back_off((self.clock)(), reason, retry_after) {
            self.fallback.log_unavailable(reason);
        }
        self.drain.resume_after_backoff();
    }
}

#[cfg(test)]
mod tests;
