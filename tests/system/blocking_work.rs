//! Work of a request on the threads for blocking work.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::http::Disconnect;
use system_tests::peers::bugsink::Bugsink;
use system_tests::wait;

use crate::support::{breadcrumbs, event_message, of_kind, probe, probe_with, run};

fn crumb(message: &str) -> Value {
    json!({"do": "breadcrumb", "message": message})
}

#[test]
fn blocking_work_keeps_the_request() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    let steps = json!([
        crumb("before"),
        {"do": "block", "steps": [
            crumb("in the block"),
            {"do": "log", "level": "info", "message": "a line"},
            {"do": "capture_exception", "message": "caught in the block"},
        ]},
        crumb("after"),
    ]);
    assert_eq!(run(service.client(), steps, json!({"error": "caught in the block"})).status, 500);
    let records = service.stop().records();
    let ids: Vec<&Value> = records.iter().filter(|it| it["kind"] != "service").map(|it| &it["request_id"]).collect();
    assert!(ids.iter().all(|id| id.is_string() && *id == ids[0]), "{records:#?}");
    let events = project.events();
    assert_eq!(events.iter().map(event_message).collect::<Vec<_>>(), ["caught in the block"], "it is one failure");
    assert_eq!(breadcrumbs(&events[0]), ["before", "in the block", "a line"]);
    assert!(events[0]["tags"]["request_id"] == *ids[0], "{:#}", events[0]);
}

#[test]
fn a_panic_in_blocking_work_is_reported_once() {
    for panic in [
        json!({"do": "panic", "message": "the disk is gone"}),
        json!({"do": "panic_any", "payload": "boxed_error"}),
        json!({"do": "panic_any", "payload": "resumed"}),
    ] {
        let project = Bugsink::shared().project();
        let service = probe_with(&project).start();
        let reply = run(service.client(), json!([{"do": "block", "steps": [crumb("before"), panic]}]), Value::Null);
        let records = service.stop().records();
        let uncaught = of_kind(&records, "uncaught");
        let ([record], [event]) = (&uncaught[..], &project.events()[..]) else { panic!("one each: {uncaught:#?}") };
        assert_eq!((reply.status, &record["exception.type"]), (500, &json!("panic")));
        assert_eq!(reply.json()["request_id"], record["request_id"]);
        assert_eq!((&event["level"], &event["tags"]["request_id"]), (&json!("fatal"), &record["request_id"]));
        assert_eq!(breadcrumbs(event), ["before", "POST /probe/run 500"]);
    }
}

/// Requests whose work runs on threads without them must not share breadcrumbs.
#[test]
fn work_that_loses_its_request_has_no_breadcrumbs() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    for name in ["alice", "bob"] {
        let work =
            json!([crumb(&format!("a note of {name}")), {"do": "capture_event", "message": format!("sent by {name}")}]);
        run(service.client(), json!([{"do": "web_block", "steps": work}]), Value::Null);
    }
    let records = service.stop().records();
    let warnings = of_kind(&records, "service").into_iter().filter(|it| it["level"] == "warning");
    let warnings: Vec<&str> = warnings.filter_map(|it| it["message"].as_str()).collect();
    assert!(matches!(warnings[..], [one] if one.contains("is not stored for Sentry")), "logged once: {warnings:?}");
    assert_eq!(of_kind(&records, "breadcrumb").len(), 2, "stderr has both");
    let events = project.events();
    let sent: Vec<(String, Vec<String>)> = events.iter().map(|it| (event_message(it), breadcrumbs(it))).collect();
    assert_eq!(sent, [("sent by alice".to_owned(), vec![]), ("sent by bob".to_owned(), vec![])]);
}

#[test]
fn blocking_work_finishes_when_the_client_disconnects() {
    let service = probe().start();
    let line = |message: &str| json!({"do": "log", "level": "info", "message": message});
    let steps = json!([{"do": "block", "steps": [line("began"), {"do": "sleep", "ms": 600}, line("finished")]}]);
    let pending = service.post("/probe/run").json(&json!({"steps": steps})).dispatch().expect("it is sent");
    let began = service.wait_record("its start", |record| record["message"] == "began");
    pending.disconnect(Disconnect::Close);
    let finished = service.wait_record("the end of the work", |record| record["message"] == "finished");
    assert_eq!(finished["request_id"], began["request_id"]);
    assert!(finished["request_id"].is_string(), "{finished}");
    let response = wait::until("the response record", Duration::from_secs(5), || {
        service.records().into_iter().find(|record| record["kind"] == "response")
    });
    assert_eq!((&response["outcome"], &response["request_id"]), (&json!("aborted"), &began["request_id"]));
}
