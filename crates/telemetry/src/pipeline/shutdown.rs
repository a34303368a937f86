//! The shutdown of the pipeline.

use std::time::{Duration, Instant};

use serde_json::Map;

use super::Pipeline;
use crate::record::Record;
use crate::request;

/// The share of the remaining time that resolving stacks may take.
const SYMBOLIZER_SHARE: f64 = 0.3;
/// The share of the then remaining time that event sinks may take. Record sinks have the rest.
const EVENTS_SHARE: f64 = 0.6;

impl Pipeline {
    /// Waits until records and events with pending stack traces have been passed to the sinks.
    pub fn wait_for_stacks(&self, deadline: Instant) {
        drop(self.symbolizer.wait(deadline));
    }

    /// Passes records and events with pending stack traces to the sinks, without their stacks after a share of the time until the
    /// deadline. What is reported afterwards follows them.
    pub fn finish_stacks(&self, deadline: Instant) {
        self.symbolizer.finish(after(SYMBOLIZER_SHARE, deadline));
    }

    /// Finishes in the middle of a request: sends the events that were held until the response ends.
    pub(crate) fn abort(&self, deadline: Instant) {
        if let Some(request) = request::current() {
            self.end_response(&self.policy(), None, &request);
        }
        self.finish(deadline);
    }

    /// Delivers everything queued: resolves stacks, sends events, writes lines, each within its share of the time.
    pub fn finish(&self, deadline: Instant) {
        self.floods.close_all().into_iter().for_each(|suppressed| self.report_suppressed(suppressed));
        self.refused_requests.close().into_iter().for_each(|refused| self.report_refused(refused));
        self.close_refused_tokens();
        self.finish_stacks(deadline);
        let lost_events = self.sinks.flush_events(after(EVENTS_SHARE, deadline));
        if !lost_events.is_empty() && self.snapshot().may_record() {
            let message =
                format!("dropped {} events: not delivered by an event sink before the stop", lost_events.total());
            let record = Record::losses(&lost_events, message, Map::new());
            self.sinks.write(&Record { target: "cyanotype".to_owned(), ..record });
        }
        let losses = self.sinks.flush_records(deadline);
        if !losses.is_empty() && self.snapshot().may_record() {
            // It is too late to report them as a line.
            self.sinks.events.iter().for_each(|sink| sink.store_losses(&losses));
        }
    }
}

/// The time at which this share of the time until the deadline has passed.
fn after(share: f64, deadline: Instant) -> Instant {
    let remaining: Duration = deadline.saturating_duration_since(Instant::now());
    Instant::now() + remaining.mul_f64(share)
}
