//! Sentry's client reports: how many items were discarded, by category and reason. The SDK adds them to the next envelope.

use std::sync::{Arc, OnceLock};

use sentry::client_report::{Reason as TransportReason, Recorder};
use sentry::protocol::ClientReport;
use sentry::protocol::client_report::{Category, Item, ItemLoss, Reason};

/// Counts discarded items. Clones share the counters, which are the SDK's.
#[derive(Clone, Default)]
pub(crate) struct ClientReports(Arc<OnceLock<Recorder>>);

impl ClientReports {
    /// Uses the counters of the SDK's client, once it exists.
    pub(crate) fn connect(&self, recorder: Recorder) {
        // Another client of the same settings would have counters of its own.
        let _ = self.0.set(recorder);
    }

    /// Counts the items of a discarded envelope. Items of a client report in it keep their own reasons.
    pub(crate) fn discard(&self, losses: &[ItemLoss], reason: Reason) {
        self.record(losses.iter().map(|loss| Item::new(loss.category, loss.reason.unwrap_or(reason), loss.quantity)));
    }

    /// Counts discarded events.
    pub(crate) fn discard_events(&self, count: u64, reason: Reason) {
        self.record([Item::new(Category::Error, reason, count)]);
    }

    fn record(&self, items: impl IntoIterator<Item = Item>) {
        if let Some(recorder) = self.0.get() {
            // The recorder accepts a discarded report, with any reason.
            recorder.record_lost_data(&ClientReport::new(items), TransportReason::InternalError);
        }
    }
}
