//! An event has all breadcrumbs of its own request, in order, and none of another request.

use std::collections::BTreeSet;
use std::thread;

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;

use crate::support::{breadcrumbs, event_message, exceptions, of_kind, probe, probe_with, run};

#[test]
fn concurrent_requests_have_separate_breadcrumbs() {
    const REQUESTS: usize = 100;
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    let client = service.client();
    thread::scope(|scope| {
        for n in 0..REQUESTS {
            scope.spawn(move || {
                let crumb = |at: &str| json!({"do": "breadcrumb", "message": format!("{n} {at}")});
                let sleep = json!({"do": "sleep", "ms": 5});
                let steps = json!([
                    crumb("first"), sleep, crumb("after an await"),
                    {"do": "span", "steps": [crumb("in a span"), sleep, crumb("in a span, after an await")]},
                    {"do": "spawn", "steps": [crumb("in a task"), sleep, {"do": "log", "level": "info", "message": format!("{n} a line")}]},
                    sleep, crumb("last"),
                ]);
                let reply = run(client, steps, json!({"error": format!("failure {n}")}));
                assert_eq!(reply.status, 500);
            });
        }
    });
    let records = service.stop().records();
    let events = project.events();
    assert_eq!(events.len(), REQUESTS);
    for event in &events {
        let n = event_message(event).trim_start_matches("failure ").to_owned();
        let labels =
            ["first", "after an await", "in a span", "in a span, after an await", "in a task", "a line", "last"];
        let mut expected: Vec<String> = labels.iter().map(|at| format!("{n} {at}")).collect();
        expected.push("POST /probe/run 500".into());
        assert_eq!(breadcrumbs(event), expected);
        let lines = records.iter().filter(|record| record["request_id"] == event["tags"]["request_id"]);
        // Six breadcrumbs, a line, the failure and the response.
        assert_eq!(lines.count(), 9);
    }
    let requests: BTreeSet<&str> = events.iter().filter_map(|event| event["tags"]["request_id"].as_str()).collect();
    assert_eq!(requests.len(), REQUESTS);
}

#[test]
fn an_event_has_the_breadcrumbs_before_it() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    let steps = json!([
        {"do": "breadcrumb", "message": "one", "category": "stock", "level": "warning", "data": {"sku": "A-1", "token": "t0psecret"}},
        {"do": "log", "level": "info", "message": "two"},
        {"do": "breadcrumb", "message": "never", "category": "drop-me"},
        {"do": "capture_exception", "message": "caught", "cause": "its cause"},
        {"do": "breadcrumb", "message": "three"},
        {"do": "capture_event", "message": "a message", "level": "warning"},
    ]);
    run(service.client(), steps, Value::Null);
    let records = service.stop().records();
    assert_eq!(of_kind(&records, "breadcrumb").len(), 3, "the hook affects only Sentry");

    let events = project.events();
    let [caught, message] = events.as_slice() else { panic!("two events: {events:?}") };
    assert_eq!(breadcrumbs(caught), ["one", "two"]);
    assert_eq!(breadcrumbs(message), ["one", "two", "three"]);
    let first = &caught["breadcrumbs"]["values"][0];
    assert_eq!((&first["category"], &first["level"]), (&json!("stock"), &json!("warning")));
    assert_eq!(first["data"], json!({"sku": "A-1", "token": "[redacted]"}));
    assert_eq!(caught["breadcrumbs"]["values"][1]["category"], "system_tests::probe::steps");
    assert_eq!(exceptions(caught)[1]["mechanism"]["handled"], true);
    assert_eq!((&message["level"], event_message(message).as_str()), (&json!("warning"), "a message"));
}

#[test]
fn the_newest_breadcrumbs_are_kept() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).env("APP__SENTRY__MAX_BREADCRUMBS", "3").start();
    let mut steps: Vec<Value> = (0..6).map(|n| json!({"do": "breadcrumb", "message": n.to_string()})).collect();
    steps.push(json!({"do": "capture_exception", "message": "caught"}));
    run(service.client(), json!(steps), Value::Null);
    service.stop();
    assert_eq!(breadcrumbs(&project.events()[0]), ["3", "4", "5"]);
}

#[test]
fn every_record_has_its_request_id() {
    let service = probe().start();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let script = json!({"steps": [{"do": "log", "level": "info", "message": "a line"}, {"do": "spawn", "steps": [{"do": "log", "level": "info", "message": "spawned"}]}]});
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    service.post("/probe/run").header("traceparent", traceparent).json(&script).send();
    let records = service.stop().records();
    let of_request: Vec<&Value> = records.iter().filter(|record| record.get("request_id").is_some()).collect();
    assert_eq!(of_request.len(), 3);
    for record in of_request {
        assert_eq!(record["request_id"], records[1]["request_id"]);
        assert_eq!((&record["trace_id"], &record["blueprint"]), (&json!(trace), &json!("probe")));
    }
}
