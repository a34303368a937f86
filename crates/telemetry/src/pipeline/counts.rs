//! What the sinks have done since the start.

use super::Pipeline;
use crate::policy::Kind;
use crate::sink_counts::SinkCounts;

/// The kind of a sink's events in its counts.
const EVENT: &str = "event";

impl Pipeline {
    /// The counts of each sink since the start of the process, with what the flood limit held back from it. May read from disk.
    #[must_use]
    pub fn sink_counts(&self) -> Vec<SinkCounts> {
        let suppressed = self.floods.totals();
        let mut sinks: Vec<SinkCounts> = self.sinks.records.iter().filter_map(|sink| sink.counts()).collect();
        for kind in Kind::ALL {
            sinks.iter_mut().for_each(|sink| sink.add_suppressed(kind.as_str(), suppressed.records[kind as usize]));
        }
        for mut sink in self.sinks.events.iter().filter_map(|sink| sink.counts()) {
            sink.add_suppressed(EVENT, suppressed.events);
            sinks.push(sink);
        }
        sinks
    }
}
