//! What became of the envelopes since the start of the process.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::category::Category;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// The current number.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The number of envelopes by outcome, since the start of the process. An envelope that was spooled and later sent counts as both.
/// One without an event that is dropped in an outage has none of these outcomes: the losses count it.
#[derive(Debug, Default)]
pub(crate) struct DeliveryCounts {
    /// Accepted by Sentry, by category.
    sent: [Count; Category::ALL.len()],
    /// Stored in the spool, to be sent later.
    pub spooled: Count,
    /// Refused by Sentry, or an event that could be neither sent nor spooled. Such events are written to stderr in full.
    pub refused: Count,
    /// Dropped because of a rate limit; never an event.
    pub limited: Count,
}

impl DeliveryCounts {
    /// Counts an envelope that Sentry has accepted.
    pub(crate) fn add_sent(&self, category: Category) {
        self.sent[category as usize].add(1);
    }

    /// The number of envelopes of a category that Sentry has accepted.
    pub(crate) fn sent(&self, category: Category) -> u64 {
        self.sent[category as usize].get()
    }
}
