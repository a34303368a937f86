//! What became of the envelopes since the start of the process.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// The current number.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The number of envelopes by outcome, since the start of the process. An envelope that was spooled and later sent counts as both.
#[derive(Debug, Default)]
pub struct DeliveryCounts {
    /// Accepted by Sentry.
    pub sent: Count,
    /// Stored in the spool, to be sent later.
    pub spooled: Count,
    /// Neither sent nor spooled: an event that was written to stderr in full, or anything else that was dropped.
    pub refused: Count,
    /// Dropped because of a rate limit; never an event.
    pub limited: Count,
}
