//! The sink that supervisord collects: records as lines on stderr, which no request ever waits for.

mod json;
mod pretty;
mod queue;
mod timestamp;
mod writer;

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::record::{Detail, Kind, Level, Record, ResponseRecord};
use crate::settings::Settings;
use pretty::Pretty;
use queue::Queue;

/// A line that is longer leaves its memory behind, and that is given back with the next one.
const KEPT: usize = 1 << 17;

thread_local! {
    /// Where this thread writes its lines, one after the other.
    static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[derive(Debug)]
pub(crate) struct Sink {
    format: Format,
    out: Out,
}

#[derive(Debug)]
enum Out {
    Queue(Queue),
    /// In a test of a blueprint.
    #[cfg(any(test, feature = "test"))]
    Kept(crate::test::Kept),
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Json,
    Pretty { colour: bool },
}

impl Format {
    fn of(settings: &Settings) -> Self {
        if settings.log.is_json(settings.env) {
            return Format::Json;
        }
        // https://no-color.org
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Format::Pretty { colour: std::io::stderr().is_terminal() && !refused }
    }

    fn write(self, record: &Record, out: &mut Vec<u8>) {
        match self {
            Format::Json => json::line(record, out),
            Format::Pretty { colour } => out.extend_from_slice(Pretty { colour }.lines(record).as_bytes()),
        }
    }

    fn write_response(self, response: &ResponseRecord<'_>, out: &mut Vec<u8>) {
        match self {
            Format::Json => json::response(response, out),
            Format::Pretty { colour } => out.extend_from_slice(Pretty { colour }.response(response).as_bytes()),
        }
    }
}

impl Sink {
    pub fn start(settings: &Settings) -> Self {
        let format = Format::of(settings);
        let loss_line = move |counts: &[(Kind, u64)]| {
            let mut line = Vec::new();
            let total: u64 = counts.iter().map(|(_, count)| count).sum();
            let message = format!("{total} records were dropped: stderr took no more");
            format.write(&loss(counts, &message, Map::new()), &mut line);
            line
        };
        Self { format, out: Out::Queue(Queue::start(settings.log.stderr.queue_bytes, loss_line)) }
    }

    #[cfg(any(test, feature = "test"))]
    pub fn kept(settings: &Settings, kept: crate::test::Kept) -> Self {
        Self { format: Format::of(settings), out: Out::Kept(kept) }
    }

    pub fn write(&self, record: &Record) {
        self.put(record.kind, record.level, |line| self.format.write(record, line));
    }

    pub fn write_response(&self, response: &ResponseRecord<'_>) {
        self.put(Kind::Response, response.level, |line| self.format.write_response(response, line));
    }

    fn put(&self, kind: Kind, level: Level, write: impl FnOnce(&mut Vec<u8>)) {
        // Taken for as long: a panic meanwhile is a line too, and so may be the last words of a thread that ends.
        let mut line = LINE.try_with(Cell::take).unwrap_or_default();
        line.clear();
        line.shrink_to(KEPT);
        write(&mut line);
        match &self.out {
            Out::Queue(queue) => queue.push(kind, level, &line),
            #[cfg(any(test, feature = "test"))]
            Out::Kept(kept) => kept.record(&line),
        }
        let _ = LINE.try_with(|kept| kept.set(line));
    }

    /// Waits for the lines that are queued, at most until the deadline; what was not written by then is given back, by kind.
    pub fn finish(&self, deadline: Instant) -> Vec<(Kind, u64)> {
        match &self.out {
            Out::Queue(queue) => queue.finish(deadline),
            #[cfg(any(test, feature = "test"))]
            Out::Kept(_) => Vec::new(),
        }
    }
}

/// The record of what was not written.
pub(crate) fn loss(counts: &[(Kind, u64)], message: &str, mut said: Map<String, Value>) -> Record {
    let dropped: Map<String, Value> =
        counts.iter().map(|(kind, count)| (kind.as_str().into(), (*count).into())).collect();
    said.insert("dropped".into(), dropped.into());
    Record {
        at: Timestamp::now(),
        level: Level::Warning,
        kind: Kind::Service,
        message: message.to_owned(),
        target: "cyanotype::stderr".into(),
        span: None,
        request: None,
        failure: None,
        event_id: None,
        detail: Detail::Service(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_be_said_while_another_is_written() {
        let kept = crate::test::Kept::default();
        let sink = Sink { format: Format::Json, out: Out::Kept(kept.clone()) };
        let say = |line: &mut Vec<u8>| line.extend_from_slice(br#"{"request_id":"one"}"#);
        sink.put(Kind::Line, Level::Info, |line| {
            sink.put(Kind::Uncaught, Level::Error, say);
            say(line);
        });
        assert_eq!(kept.of_request("one").0.len(), 2);
    }
}
