//! What Spotlight shows of the real binary.

use serde_json::json;
use system_tests::peers::spotlight::Spotlight;
use system_tests::service::Service;

use crate::probe_app;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[test]
fn spotlight_shows_a_failure_in_its_trace() {
    let spotlight = Spotlight::start();
    let service = Service::new(probe_app()).env("SENTRY_DSN", spotlight.dsn());
    let service = service.env("APP__SENTRY__TRACES_SAMPLE_RATE", "1").env("APP__SENTRY__SESSIONS", "true");
    let service = service.env("APP__SENTRY__LOGS", "true").start();
    let line = json!({"do": "log", "level": "warning", "message": "the stock is low"});
    let script = json!({"steps": [line], "finish": {"error": "no stock", "cause": "the warehouse is closed"}});
    let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    assert_eq!(service.post("/probe/run").header("traceparent", traceparent).json(&script).send().status, 500);
    let event = spotlight.wait_items("event", 1).remove(0);
    let transaction = spotlight.wait_items("transaction", 1).remove(0);
    for (shown, parent) in [(&event, "00f067aa0ba902b7"), (&transaction, "00f067aa0ba902b7")] {
        let trace = &shown["contexts"]["trace"];
        assert_eq!((&trace["trace_id"], &trace["parent_span_id"]), (&json!(TRACE), &json!(parent)), "{shown}");
        assert_eq!(trace["span_id"], transaction["contexts"]["trace"]["span_id"]);
        assert_eq!((&shown["transaction"], &shown["tags"]["blueprint"]), (&json!("POST /probe/run"), &json!("probe")));
    }
    assert_eq!(transaction["contexts"]["trace"]["status"], "internal_error");

    service.stop();
    let logs = spotlight.wait_items("log", 1).remove(0);
    let logs = logs["items"].as_array().expect("a list of lines");
    let line = logs.iter().find(|line| line["body"] == "the stock is low").expect("the line is shown");
    assert_eq!((&line["level"], &line["trace_id"]), (&json!("warn"), &json!(TRACE)));
    assert_eq!(line["attributes"]["blueprint"]["value"], "probe");

    let sessions = spotlight.wait_items("sessions", 1).remove(0);
    assert_eq!(
        (sessions["aggregates"][0]["errored"].as_u64(), &sessions["attrs"]["environment"]),
        (Some(1), &json!("prod"))
    );
}
