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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use crate::failure::Failure;
    use crate::losses::Losses;
    use crate::pipeline::fixture::settings;
    use crate::pipeline::{Hooks, Pipeline};
    use crate::record::{Event, Record, ResponseRecord};
    use crate::report::Report;
    use crate::sink_counts::{RecordCounts, SinkCounts};
    use crate::sinks::{EventSink, RecordSink, SinkScope, Sinks};
    use crate::{Kind, Level};

    /// A sink with this name that has written one record.
    struct Counting(&'static str);

    impl Counting {
        fn one(&self, kind: &'static str) -> Option<SinkCounts> {
            let records = vec![RecordCounts { kind, written: 1, ..RecordCounts::default() }];
            Some(SinkCounts { sink: self.0, records, ..SinkCounts::default() })
        }
    }

    impl RecordSink for Counting {
        fn write(&self, _: &Record) {}
        fn write_response(&self, _: &ResponseRecord<'_>) {}
        fn flush(&self, _: Instant) -> Losses {
            Losses::none()
        }
        fn counts(&self) -> Option<SinkCounts> {
            self.one("line")
        }
    }

    impl EventSink for Counting {
        fn send(&self, _: &Event, _: Option<&SinkScope>) {}
        fn flush(&self, _: Instant) -> Losses {
            Losses::none()
        }
        fn counts(&self) -> Option<SinkCounts> {
            self.one("event")
        }
    }

    #[test]
    fn suppressed_records_are_added_to_the_counts_of_the_sinks() {
        let sinks = Sinks::none().record(Arc::new(Counting("lines"))).event(Arc::new(Counting("events")));
        let pipeline = Pipeline::new(&settings(&[("log.flood.limit", "2")]), Hooks::default(), sinks);
        for _ in 0..5 {
            let failure = Failure::from_message("Error", "failed".to_owned());
            pipeline.report(Report::failure(Kind::Exception, "test", failure));
            pipeline.report(Report::new(Kind::Line, Level::Error, "test", "an error".to_owned()));
        }
        let counts = pipeline.sink_counts();
        let of = |sink: &str, kind: &str| {
            let sink = counts.iter().find(|it| it.sink == sink).expect("both sinks count");
            let record = sink.records.iter().find(|record| record.kind == kind).copied().unwrap_or_default();
            (record.written, record.suppressed)
        };
        assert_eq!((of("lines", "exception"), of("lines", "line"), of("lines", "response")), ((0, 3), (1, 0), (0, 0)));
        assert_eq!(of("events", "event"), (1, 6), "an error line is an event, too");
    }
}
