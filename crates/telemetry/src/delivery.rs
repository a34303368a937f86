//! An event to be sent, with the sinks that accepted it.

use std::sync::Arc;

use crate::record::Event;
use crate::sinks::{EventSink, SinkScope};

/// An event and the sinks that accepted it, each with its scope at the capture.
pub(crate) struct Delivery {
    pub event: Event,
    pub to: Vec<(Arc<dyn EventSink>, Option<SinkScope>)>,
}

impl Delivery {
    /// Sends the event to each sink.
    pub(crate) fn send(&self) {
        self.to.iter().for_each(|(sink, scope)| sink.send(&self.event, scope.as_ref()));
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("event", &self.event).field("sinks", &self.to.len()).finish()
    }
}
