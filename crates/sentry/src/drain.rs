//! Sends spooled envelopes at a limited rate.

use std::time::{Duration, Instant};

use sentry::Envelope;

use crate::backoff::Backoff;
use crate::category::Category;
use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::fallback::Fallback;
use crate::queued_envelope::QueuedEnvelope;
use crate::undelivered::Undelivered;

/// Interval between spooled envelopes: 50 per second, so that a full spool does not look like an attack.
const SEND_INTERVAL: Duration = Duration::from_millis(20);
/// How often an empty spool is checked for envelopes of other processes.
const SCAN_INTERVAL: Duration = Duration::from_secs(5);
/// After this many failures of the first envelope, the next one is tried first.
const MAX_FIRST_FAILURES: u32 = 3;

pub(crate) struct SpoolDrain {
    clock: Clock,
    /// When the next envelope is to be sent.
    next: Instant,
    /// The number of consecutive failures of the first envelope.
    first_failures: u32,
}

impl SpoolDrain {
    pub(crate) fn new(clock: Clock) -> Self {
        let next = clock();
        Self { clock, next, first_failures: 0 }
    }

    /// When the next envelope is due: not before the interval and the backoff have passed.
    pub(crate) fn due(&self, backoff: &Backoff) -> Instant {
        backoff.until().map_or(self.next, |until| until.max(self.next))
    }

    /// Makes the next envelope due at the end of the backoff that has just begun.
    pub(crate) fn resume_after_backoff(&mut self) {
        self.next = (self.clock)();
    }

    /// Sends the oldest envelope of the spool, if there is one. Returns `None` if nothing was sent, or if the response says
    /// nothing about the availability of Sentry.
    pub(crate) fn send_next(&mut self, endpoint: &mut Endpoint, fallback: &Fallback) -> Option<DrainOutcome> {
        self.next = (self.clock)() + SCAN_INTERVAL;
        // Sentry may be available and fail only on the first envelope. The next one shows whether that is so.
        let skips_first = self.first_failures >= MAX_FIRST_FAILURES;
        let claim = match skips_first {
            true => fallback.claim(1).or_else(|| fallback.claim(0)),
            false => fallback.claim(0),
        }?;
        if let Some(wait) = endpoint.rate_limited_for(Category::Event) {
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
            Err(why @ Undelivered::Refused(_)) => {
                if let Some(envelope) = Envelope::from_slice(&claim.bytes).ok().as_ref().and_then(QueuedEnvelope::new) {
                    fallback.undelivered(&envelope, &why);
                }
                fallback.remove(claim);
                self.next = (self.clock)() + SEND_INTERVAL;
                None
            }
            Err(why) => {
                self.first_failures += 1;
                Some(DrainOutcome::Failed { why, retry_after: endpoint.rate_limited_for(Category::Event) })
            }
        }
    }
}

/// The result of sending a spooled envelope.
pub(crate) enum DrainOutcome {
    Sent,
    Failed { why: Undelivered, retry_after: Option<Duration> },
}

#[cfg(test)]
mod tests;
