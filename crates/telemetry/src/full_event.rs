//! Records with an event in full: one if its line is not too long, else numbered parts.

use cyanotype_redact::escape::max_json_len;
use serde_json::{Map, Value};

use crate::level::Level;
use crate::lines::Renderer;
use crate::record::Record;
use crate::settings::Settings;

/// The target of the records.
const TARGET: &str = "cyanotype::sentry";
/// Upper bound of the number of parts, to reserve space for its digits.
const MANY_PARTS: usize = 9_999_999;
/// The maximum length of the reason in a part, in bytes. The settings allow lines of 2048 bytes.
const MAX_REASON_BYTES: usize = 256;

/// Writes events that no event sink accepted as records.
#[derive(Debug)]
pub struct FullEventRecords {
    renderer: Renderer,
}

impl FullEventRecords {
    /// For lines as these settings have them.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self { renderer: Renderer::from_settings(settings) }
    }

    /// For lines of JSON of at most this length, with our own names.
    #[must_use]
    pub const fn json(max_line_bytes: usize) -> Self {
        Self { renderer: Renderer::json(max_line_bytes) }
    }

    /// The records of an event in a sink's own format: a JSON object with `event_id`.
    #[must_use]
    pub fn records(&self, level: Level, reason: &str, event: Value) -> Vec<Record> {
        let whole = Map::from_iter([("reason".to_owned(), Value::from(reason)), ("event".to_owned(), event)]);
        let message = format!("event not delivered to Sentry: {reason}");
        let whole = Record::service(level, TARGET, message, whole);
        if self.renderer.full_len(&whole) <= self.renderer.max_line_bytes() {
            return vec![whole];
        }
        self.parts(level, reason, &whole)
    }

    fn parts(&self, level: Level, reason: &str, whole: &Record) -> Vec<Record> {
        let event = whole.value("event").unwrap_or(&Value::Null);
        let reason = &reason[..max_prefix(reason, MAX_REASON_BYTES, true)];
        let record = |part: usize, parts: usize, text: &str| {
            let data = [
                ("reason", reason.into()),
                ("event_id", event["event_id"].clone()),
                ("part", part.into()),
                ("parts", parts.into()),
                ("event_part", text.into()),
            ];
            let data = data.map(|(key, value)| (key.to_owned(), value));
            let message = format!("event not delivered to Sentry: part {part} of {parts}");
            Record { at: whole.at, ..Record::service(level, TARGET, message, Map::from_iter(data)) }
        };
        let others = self.renderer.full_len(&record(MANY_PARTS, MANY_PARTS, ""));
        let texts = self.split(&event.to_string(), self.renderer.max_line_bytes().saturating_sub(others));
        let parts = texts.len();
        texts.iter().enumerate().map(|(at, text)| record(at + 1, parts, text)).collect()
    }

    /// Splits a text into parts of at most `max` bytes in a line.
    fn split(&self, text: &str, max: usize) -> Vec<String> {
        let max = self.renderer.escaped_bytes(max);
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let first = rest.chars().next().map_or(0, char::len_utf8);
            let end = max_prefix(rest, max, self.renderer.is_ascii()).max(first);
            parts.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        parts
    }
}

/// The length of the longest beginning of a text that needs at most `max` bytes in a JSON string.
fn max_prefix(text: &str, max: usize, ascii: bool) -> usize {
    let mut length = 0;
    let exceeds = |(_, c): &(usize, char)| {
        length += max_json_len(*c, ascii);
        length > max
    };
    text.char_indices().find(exceeds).map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pipeline::fixture::settings;

    const EVENT_ID: &str = "9ec79c33ec9942ab8353589fcb2e04dc";

    fn value<'a>(record: &'a Record, key: &str) -> &'a Value {
        record.value(key).unwrap_or(&Value::Null)
    }

    #[test]
    fn an_event_that_fits_is_one_record() {
        let records =
            FullEventRecords::new(&settings(&[])).records(Level::Error, "gone", json!({"event_id": EVENT_ID}));
        assert_eq!(records.len(), 1);
        assert_eq!(value(&records[0], "event"), &json!({"event_id": EVENT_ID}));
        assert_eq!(records[0].message, "event not delivered to Sentry: gone");
    }

    #[test]
    fn a_long_event_is_written_in_parts_that_fit() {
        let hostile = "\u{1}\"\\\u{2028}\u{9b}é😀<!--XSUPERVISOR:BEGIN-->".repeat(1000);
        let event = json!({"event_id": EVENT_ID, "message": hostile});
        for (max, ascii, format, prefix) in [
            (2048, "false", "json", "never"),
            (2048, "true", "json", "always"),
            (16_000, "false", "json", "always"),
            (2048, "false", "pretty", "always"),
        ] {
            for schema in ["default", "gcp", "ecs", "datadog"] {
                let settings = settings(&[
                    ("log.max_line_bytes", &max.to_string()),
                    ("log.ascii", ascii),
                    ("log.format", format),
                    ("log.priority_prefix", prefix),
                    ("log.schema", schema),
                ]);
                let events = FullEventRecords::new(&settings);
                let records = events.records(Level::Critical, &hostile, event.clone());
                let parts = records.len();
                assert!(parts > 1);
                for (at, record) in records.iter().enumerate() {
                    assert_eq!(record.level, Level::Critical);
                    assert_eq!((value(record, "part"), value(record, "parts")), (&json!(at + 1), &json!(parts)));
                    assert_eq!(value(record, "event_id"), EVENT_ID);
                    let length = events.renderer.full_len(record);
                    assert!(length <= max, "{format} {schema}: {length} > {max}");
                }
                let text: String = records.iter().filter_map(|record| value(record, "event_part").as_str()).collect();
                assert_eq!(serde_json::from_str::<Value>(&text).expect("the joined parts are JSON"), event);
            }
        }
    }
}
