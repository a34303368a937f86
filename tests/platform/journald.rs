//! The service under a real journald: each record is one entry with its own priority, whatever a client sends.

use serde_json::{Value, json};
use system_tests::peers::journald::Journald;
use system_tests::service::{Running, Service};

use crate::hostile::{self, Kinds, attack, kinds, probe};
use crate::probe_app;

const UNIT: &str = "probe";

/// Runs the probe with journald as its collector, and returns the entries that it made.
#[track_caller]
fn entries(journald: &Journald, service: Service, drive: impl FnOnce(&Running)) -> Vec<Value> {
    let stream = journald.stream(UNIT);
    let service = service.env("JOURNAL_STREAM", stream.variable()).stderr(stream.descriptor()).start();
    drive(&service);
    service.stop();
    journald.all_entries(stream)
}

fn message(entry: &Value) -> &str {
    entry["MESSAGE"].as_str().unwrap_or_default()
}

fn priority(level: &str) -> &'static str {
    match level {
        "critical" => "2",
        "error" => "3",
        "warning" => "4",
        "info" => "6",
        _ => "7",
    }
}

/// The start of the message, for a failed assertion.
fn shown(entry: &Value) -> String {
    message(entry).chars().take(300).collect()
}

/// The record that is the entry's message, as a whole.
#[track_caller]
fn record(entry: &Value) -> Value {
    serde_json::from_str(message(entry))
        .unwrap_or_else(|e| panic!("an entry that is no record ({e}): {}", shown(entry)))
}

#[test]
fn journald_has_each_records_priority() {
    let levels = ["trace", "debug", "info", "warning", "error", "critical"];
    let steps = levels.map(|level| json!({"do": "log", "level": level, "message": level}));
    let script = json!({"steps": steps, "finish": {"error": "no", "cause": "because"}});
    let journald = Journald::start();
    let service = Service::new(probe_app()).env("APP__LOG__LEVELS__SYSTEM_TESTS", "trace");
    let entries = entries(&journald, service, |service| {
        assert_eq!(service.post("/probe/run").json(&script).send().status, 500);
        assert_eq!(service.get("/probe/nowhere").send().status, 404);
    });

    let records: Vec<Value> = entries.iter().map(record).collect();
    for level in levels {
        assert!(records.iter().any(|record| record["level"] == level), "a record of level {level}");
    }
    for (entry, record) in entries.iter().zip(&records) {
        let level = record["level"].as_str().expect("each record has a level");
        assert_eq!(entry["PRIORITY"], priority(level), "{record}");
    }
    let errors: Vec<&Value> = records.iter().filter(|r| r["level"] == "error" || r["level"] == "critical").collect();
    let found: Vec<Value> =
        journald.entries(&["SYSLOG_IDENTIFIER=probe", "--priority=err"]).iter().map(record).collect();
    assert_eq!(found.iter().collect::<Vec<_>>(), errors, "`journalctl -p err` finds the errors and nothing else");
}

#[test]
fn a_client_cannot_forge_a_journal_entry() {
    let journald = Journald::start();
    let mut sent = Kinds::new();
    let entries = entries(&journald, probe(), |service| sent = attack(service.client()));
    for entry in &entries {
        assert_ne!(entry["PRIORITY"], "2", "{}", shown(entry));
        assert_eq!(entry.get("_LINE_BREAK"), None, "journald split a line: {}", shown(entry));
    }
    let records: Vec<Value> = entries.iter().map(record).collect();
    assert_eq!(kinds(&records), sent, "each record is one entry");
}

#[test]
fn a_client_cannot_forge_a_pretty_journal_entry() {
    let journald = Journald::start();
    let service = probe().env("APP__LOG__FORMAT", "pretty");
    for entry in entries(&journald, service, |service| drop(attack(service.client()))) {
        assert_ne!(entry["PRIORITY"], "2", "{}", shown(&entry));
        assert_eq!(entry.get("_LINE_BREAK"), None, "journald split a line: {}", shown(&entry));
        assert!(!message(&entry).trim_start().starts_with(hostile::FORGED), "{}", shown(&entry));
    }
}
