//! The end of the pipeline.

use std::time::{Duration, Instant};

use super::Pipeline;
use crate::request;
use crate::sinks::LineSink;

/// Shares of the time that is left, each when its step begins: resolving stacks, then the event sinks; line sinks take the rest.
const SYMBOLIZER_SHARE: f64 = 0.3;
const EVENTS_SHARE: f64 = 0.6;

impl Pipeline {
    /// Waits until what waits for its stack has been handed to the sinks.
    pub fn wait_for_stacks(&self, deadline: Instant) {
        drop(self.symbolizer.wait(deadline));
    }

    /// Ends in the middle of a request: events that wait for their response wait no longer.
    pub(crate) fn abort(&self, deadline: Instant) {
        if let Some(request) = request::current() {
            self.end_response(&self.policy(), None, &request);
        }
        self.finish(deadline);
    }

    /// Delivers what is queued, in order: stacks are resolved, events sent, lines written; each until its share of the time is
    /// over.
    pub fn finish(&self, deadline: Instant) {
        self.floods.close_all().into_iter().for_each(|suppressed| self.report_suppressed(suppressed));
        self.load_shedding.close().into_iter().for_each(|refused| self.report_refused(refused));
        self.end_refused_tokens();
        self.symbolizer.finish(after(SYMBOLIZER_SHARE, deadline));
        let events_deadline = after(EVENTS_SHARE, deadline);
        for sink in &self.sinks.events {
            sink.flush(events_deadline);
        }
        let losses = self.sinks.flush(deadline);
        if !losses.is_empty() && self.snapshot().may_record() {
            // The lines cannot report it any more.
            self.sinks.events.iter().for_each(|sink| sink.store_losses(&losses));
        }
    }
}

/// The instant when this share of the time until the deadline is over.
fn after(share: f64, deadline: Instant) -> Instant {
    let left: Duration = deadline.saturating_duration_since(Instant::now());
    Instant::now() + left.mul_f64(share)
}
