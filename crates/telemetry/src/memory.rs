//! A sink for tests, which stores records and events in memory.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use serde_json::Value;

use crate::lines::Renderer;
use crate::losses::Losses;
use crate::record::{Event, Record, ResponseRecord};
use crate::sinks::{EventSink, RecordSink, SinkScope};

/// The lines as stderr has them with the default settings.
const LINES: Renderer = Renderer::json(16_000);

/// Stores records and events as JSON, in order of arrival. Clones share their contents.
#[derive(Debug, Clone, Default)]
pub struct MemorySink(Arc<Mutex<Stored>>);

#[derive(Debug, Default)]
struct Stored {
    records: Vec<Value>,
    events: Vec<Value>,
    logs: Vec<Value>,
}

impl MemorySink {
    /// The records and events of one request.
    #[must_use]
    pub fn of_request(&self, id: &str) -> (Vec<Value>, Vec<Value>) {
        let stored = self.0.lock();
        let records = stored.records.iter().filter(|record| record["request_id"] == id);
        let events = stored.events.iter().filter(|event| event["request"]["request_id"] == id);
        (records.cloned().collect(), events.cloned().collect())
    }

    /// Removes and returns all records and events.
    #[must_use]
    pub fn take(&self) -> (Vec<Value>, Vec<Value>) {
        let stored = std::mem::take(&mut *self.0.lock());
        (stored.records, stored.events)
    }

    /// Removes and returns the lines for Sentry's Logs, in the format of records.
    #[must_use]
    pub fn take_logs(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().logs)
    }
}

impl RecordSink for MemorySink {
    fn write(&self, record: &Record) {
        let record = rendered(|line| LINES.write(record, line));
        self.0.lock().records.push(record);
    }

    fn write_response(&self, response: &ResponseRecord<'_>) {
        let record = rendered(|line| LINES.write_response(response, line));
        self.0.lock().records.push(record);
    }

    fn flush(&self, _: Instant) -> Losses {
        Losses::none()
    }
}

impl EventSink for MemorySink {
    fn send(&self, event: &Event, _: Option<&SinkScope>) {
        let event = serde_json::to_value(event).unwrap_or_default();
        self.0.lock().events.push(event);
    }

    fn log(&self, record: &Record) {
        let record = rendered(|line| LINES.write(record, line));
        self.0.lock().logs.push(record);
    }

    fn flush(&self, _: Instant) -> Losses {
        Losses::none()
    }
}

/// A line as JSON.
fn rendered(write: impl FnOnce(&mut Vec<u8>)) -> Value {
    let mut line = Vec::new();
    write(&mut line);
    serde_json::from_slice(&line).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&line)))
}
