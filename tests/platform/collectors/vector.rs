//! The program in Vector's configuration, run by Vector's own compiler of its language.

use serde_json::Value;

use system_tests::scratch::{self, Scratch};

use super::{Written, configuration, python, text};

/// Runs the program on each line, and prints the events.
const SCRIPT: &str = include_str!("vector.py");

#[test]
fn the_program_of_vector_makes_each_record_an_event() {
    let (written, scratch) = (Written::shared(), Scratch::new("vector"));
    let log = scratch.join("app.log");
    scratch::write(&log, &written.log);
    let printed = python(SCRIPT, &[&configuration("vector.yaml"), &log]);
    let events: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    let (first, rest) = events.split_first().expect("there is the refusal");
    assert_eq!((text(first, "message"), text(first, "severity")), (written.refusal.as_str(), "error"));
    assert_eq!(rest.len(), written.records.len());
    for (event, record) in rest.iter().zip(&written.records) {
        assert_eq!(event["kubernetes"]["pod_name"], "cyanotype-1", "the source's keys stay: {event}");
        for (key, value) in record.as_object().expect("a record is an object") {
            assert_eq!(&event[key], value, "{key} of {event}");
        }
        let severity = match text(record, "level") {
            "critical" => "fatal",
            "warning" => "warn",
            level => level,
        };
        assert_eq!(event["severity"], severity, "{event}");
        // A text, before the program has parsed it.
        assert_eq!(event["type of timestamp"], "datetime", "{event}");
    }
}
