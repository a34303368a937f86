//! A request has a hub of its own, whether sentry-actix binds it, as it does with transactions, or the core: events are the
//! same.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::http::Request;
use system_tests::peers::bugsink::{Bugsink, Project};
use system_tests::service::Running;

use crate::support::{breadcrumbs, event_message, of_kind, probe_with};

/// Bugsink may be busy with the events of other tests.
const ARRIVAL: Duration = Duration::from_secs(30);

/// The trace that the client is part of.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn asked(app: &Running, steps: &Value, finish: &Value) -> Request {
    let mut script = json!({"steps": steps});
    if !finish.is_null() {
        script["finish"] = finish.clone();
    }
    app.post("/probe/run?page=2&token=t0p")
        .header("user-agent", "curl/8")
        .header("authorization", "Bearer t0p")
        .header("x-request-id", "one")
        .header("sentry-trace", format!("{TRACE}-b7ad6b7169203331"))
        .json(&script)
}

/// The events of the same requests, with transactions or without.
fn events(transactions: &str, behind_proxy: bool, ways: &[(Value, Value)]) -> Vec<Value> {
    let project: Project = Bugsink::shared().project();
    // The transactions themselves are none of Bugsink's business: next to none is drawn.
    let app = probe_with(&project).env("APP__SENTRY__TRACES_SAMPLE_RATE", transactions);
    let app = app.env("APP__SERVER__TRUSTED_PROXIES", "127.0.0.1").start();
    for (steps, finish) in ways {
        let mut request = asked(&app, steps, finish);
        if behind_proxy {
            request = request.header("x-forwarded-host", "shop.example").header("x-forwarded-proto", "https");
        }
        // A body that fails, or a process in despair, may end the connection.
        let _ = request.try_send();
    }
    let port = app.port.to_string();
    // Before the stop, whose time may be too short for a server that is busy.
    project.wait_events(ways.len(), ARRIVAL);
    app.stop();
    let mut events: Vec<Value> = project.events();
    for event in &mut events {
        // A client is told the event's id, and the breadcrumb of the answer has it.
        let id = event["event_id"].as_str().expect("an event has an id").replace('-', "");
        let text = event.to_string().replace(&format!("127.0.0.1:{port}"), "here").replace(&id, "its id");
        *event = serde_json::from_str(&text).expect("it is JSON still");
        comparable(event);
    }
    events.sort_by_key(event_message);
    events
}

/// Without what no two events share, and what names the layers that a request went through.
fn comparable(event: &mut Value) {
    const ITS_OWN: [&str; 6] = ["event_id", "timestamp", "received", "ingested_at", "sdk", "_meta"];
    match event {
        Value::Object(map) => {
            ITS_OWN.iter().for_each(|key| drop(map.remove(*key)));
            // Of a transaction there is more to tell than its trace.
            if let Some(trace) = map.get_mut("contexts").and_then(|contexts| contexts.get_mut("trace")) {
                *trace = json!({"trace_id": trace["trace_id"]});
            }
            if let Some(frames) = map.get_mut("frames").and_then(Value::as_array_mut) {
                frames.retain(|frame| frame["in_app"] == true);
                frames.retain(|frame| frame["function"].as_str().is_some_and(|name| name.contains("probe")));
            }
            map.values_mut().for_each(comparable);
        }
        Value::Array(items) => items.iter_mut().for_each(comparable),
        _ => {}
    }
}

/// What the probe does, and how it finishes.
fn ways_to_fail() -> Vec<(Value, Value)> {
    let finishes = [
        json!({"error": "returned", "cause": "the cause"}),
        json!({"error": "captured", "report": "capture"}),
        json!({"error": "logged", "report": "log"}),
        json!({"panic": "panicked"}),
        json!({"respond": {"status": 503, "body": "busy"}}),
        json!({"stream": {"chunks": 3, "chunk": "x", "fail_after": 1}}),
    ];
    let beside = |step: Value| json!([{"do": "spawn", "steps": [step]}]);
    let steps = [
        json!([{"do": "breadcrumb", "message": "before"}, {"do": "capture_exception", "message": "in passing"}]),
        json!([{"do": "capture_event", "message": "said"}]),
        json!([{"do": "log", "level": "critical", "message": "grave"}]),
        json!([{"do": "sdk_message", "message": "direct"}]),
        beside(json!({"do": "capture_exception", "message": "beside"})),
        beside(json!({"do": "panic", "message": "panicked beside"})),
        beside(json!({"do": "sdk_message", "message": "direct, beside"})),
    ];
    let finishes = finishes.map(|finish| (json!([]), finish));
    finishes.into_iter().chain(steps.map(|steps| (steps, Value::Null))).collect()
}

#[test]
fn events_are_equal_with_and_without_transactions() {
    let ways = ways_to_fail();
    for behind_proxy in [false, true] {
        let [own, of_sentry_actix] = ["0", "0.000001"].map(|share| events(share, behind_proxy, &ways));
        assert_eq!(own.len(), ways.len(), "{:?}", own.iter().map(event_message).collect::<Vec<_>>());
        let url = if behind_proxy { "https://shop.example" } else { "http://here" };
        for (one, other) in own.iter().zip(&of_sentry_actix) {
            assert_eq!(one, other, "{} differs from {}", event_message(one), event_message(other));
            assert_eq!(one["request"]["url"], format!("{url}/probe/run?page=2&token=[redacted]"), "{one}");
            assert_eq!(one["request"]["headers"]["user-agent"], "curl/8", "{one}");
            assert_eq!(one["contexts"]["trace"]["trace_id"], TRACE, "{one}");
            assert_eq!(one["transaction"], "POST /probe/run", "{one}");
            assert!(!one.to_string().contains("t0p"), "{one}");
        }
        assert_eq!(own.len(), of_sentry_actix.len());
    }
}

#[test]
fn sdk_scope_changes_stay_within_the_request() {
    for transactions in ["0", "0.000001"] {
        let project = Bugsink::shared().project();
        let service = probe_with(&project).env("APP__SENTRY__TRACES_SAMPLE_RATE", transactions);
        // One worker: its requests share a thread.
        let app = service.env("APP__SERVER__WORKERS", "1").start();
        thread::scope(|scope| {
            scope.spawn(|| {
                let steps = json!([
                    {"do": "sdk_tag", "key": "colour", "value": "blue"},
                    {"do": "log", "level": "info", "message": "it waits"},
                    {"do": "sleep", "ms": 500},
                    {"do": "sdk_message", "message": "the first"},
                ]);
                asked(&app, &steps, &Value::Null).send();
            });
            app.wait_record("the first to wait", |record| record["message"] == "it waits");
            asked(&app, &json!([{"do": "sdk_message", "message": "meanwhile"}]), &Value::Null).send();
        });
        asked(&app, &json!([{"do": "sdk_message", "message": "afterwards"}]), &Value::Null).send();
        project.wait_events(3, ARRIVAL);
        let records = app.stop().records();
        assert!(of_kind(&records, "uncaught").is_empty());
        let mut colours: Vec<_> =
            project.events().iter().map(|event| (event_message(event), event["tags"]["colour"].clone())).collect();
        colours.sort_by_key(|(about, _)| about.clone());
        let told = [("afterwards", Value::Null), ("meanwhile", Value::Null), ("the first", json!("blue"))];
        assert_eq!(colours, told.map(|(about, colour)| (about.to_owned(), colour)));
        assert!(project.events().iter().all(|event| breadcrumbs(event).is_empty()));
    }
}
