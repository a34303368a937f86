//! Sends what is in the spool, a little at a time.

use std::time::{Duration, Instant};

use sentry::Envelope;

use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::endpoint::{Endpoint, SendError};
use crate::fallback::Fallback;
use crate::queue::QueuedEnvelope;

/// Between two envelopes of the spool: 50 a second, so that a day's worth does not look like an attack.
const SEND_INTERVAL: Duration = Duration::from_millis(20);
/// How often an empty spool is looked at: another process may have left something.
const SCAN_INTERVAL: Duration = Duration::from_secs(5);
/// When the first of the spool has failed so often, another is tried before it.
const MAX_FIRST_FAILURES: u32 = 3;

pub(crate) struct SpoolDrain {
    clock: Clock,
    /// When the spool's turn comes.
    next: Instant,
    /// How often the first of the spool was refused, one time after the other.
    first_failures: u32,
}

impl SpoolDrain {
    pub(crate) fn new(clock: Clock) -> Self {
        let next = clock();
        Self { clock, next, first_failures: 0 }
    }

    /// When the spool is to be drained: at its pace, and not while Sentry is left alone.
    pub(crate) fn due(&self, backoff: &Backoff) -> Instant {
        backoff.until().map_or(self.next, |until| until.max(self.next))
    }

    /// Has the spool drained as soon as the pause is over that began now.
    pub(crate) fn after_backoff(&mut self) {
        self.next = (self.clock)();
    }

    /// Sends the oldest of the spool, if there is one. Returns whether Sentry took it, or why it cannot now; `None` when
    /// nothing was sent, or nothing follows from it.
    pub(crate) fn send_next(&mut self, endpoint: &mut Endpoint, fallback: &Fallback) -> Option<DrainOutcome> {
        self.next = (self.clock)() + SCAN_INTERVAL;
        // Sentry may be well and fail at this one event: then the one after it tells.
        let skips_first = self.first_failures >= MAX_FIRST_FAILURES;
        let claim = match skips_first {
            true => fallback.claim(1).or_else(|| fallback.claim(0)),
            false => fallback.claim(0),
        }?;
        if let Some(wait) = endpoint.rate_limited_for(claim.category) {
            self.next = (self.clock)() + wait;
            return None;
        }
        match endpoint.post(&claim.bytes) {
            Ok(()) => {
                fallback.remove(claim);
                if skips_first {
                    fallback.postpone_first();
                }
                self.first_failures = 0;
                self.next = (self.clock)() + SEND_INTERVAL;
                Some(DrainOutcome::Sent)
            }
            Err(SendError::Permanent(reason)) => {
                if let Some(envelope) = Envelope::from_slice(&claim.bytes).ok().as_ref().and_then(QueuedEnvelope::new) {
                    fallback.write_undeliverable(&envelope, &reason);
                }
                fallback.remove(claim);
                self.next = (self.clock)() + SEND_INTERVAL;
                None
            }
            Err(SendError::Temporary(reason)) => {
                self.first_failures += 1;
                Some(DrainOutcome::Failed { reason, retry_after: endpoint.rate_limited_for(claim.category) })
            }
        }
    }
}

/// What an envelope of the spool shows of Sentry.
pub(crate) enum DrainOutcome {
    Sent,
    Failed { reason: String, retry_after: Option<Duration> },
}

#[cfg(test)]
mod tests;
