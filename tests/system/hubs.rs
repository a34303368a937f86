//! A request has a hub of its own, whether sentry-actix binds it, as it does with transactions, or the core: events are the
//! same.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::http::Request;
use system_tests::peers::bugsink::{Bugsink, Project};
use system_tests::service::Running;

use crate::support::{about, crumbs, of_kind, probe_with};

/// What a client says of itself, and what a proxy says of it.
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
fn events(transactions: &str, behind_proxy: bool, ways: &[(&str, Value, Value)]) -> Vec<Value> {
    let project: Project = Bugsink::shared().project();
    // The transactions themselves are none of Bugsink's business: next to none is drawn.
    let app = probe_with(&project).env("APP__SENTRY__TRACES_SAMPLE_RATE", transactions).start();
    for (_, steps, finish) in ways {
        let mut request = asked(&app, steps, finish);
        if behind_proxy {
            request = request.header("x-forwarded-host", "shop.example").header("x-forwarded-proto", "https");
        }
        // A body that fails, or a process in despair, may end the connection.
        let _ = request.try_send();
    }
    let port = app.port.to_string();
    app.stop();
    let mut events: Vec<Value> = project.events();
    for event in &mut events {
        let text = event.to_string().replace(&format!("127.0.0.1:{port}"), "here");
        *event = serde_json::from_str(&text).expect("it is JSON still");
        comparable(event);
    }
    events.sort_by_key(about);
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

fn ways_to_fail() -> Vec<(&'static str, Value, Value)> {
    let none = || json!([]);
    vec![
        ("a returned error", none(), json!({"error": "returned", "cause": "the cause"})),
        ("one that is captured first", none(), json!({"error": "captured", "report": "capture"})),
        ("one that is logged first", none(), json!({"error": "logged", "report": "log"})),
        ("a panic", none(), json!({"panic": "panicked"})),
        ("a plain 5xx", none(), json!({"respond": {"status": 503, "body": "busy"}})),
        ("a stream that fails", none(), json!({"stream": {"chunks": 3, "chunk": "x", "fail_after": 1}})),
        ("a capture", json!([{"do": "capture_exception", "message": "in passing"}]), Value::Null),
        ("a message", json!([{"do": "capture_event", "message": "said"}]), Value::Null),
        ("a critical line", json!([{"do": "log", "level": "critical", "message": "grave"}]), Value::Null),
        (
            "work beside the handler",
            json!([{"do": "spawn", "steps": [{"do": "capture_exception", "message": "beside"}]}]),
            Value::Null,
        ),
        (
            "a panic beside the handler",
            json!([{"do": "spawn", "steps": [{"do": "panic", "message": "beside, too"}]}]),
            Value::Null,
        ),
        (
            "the SDK itself",
            json!([{"do": "breadcrumb", "message": "before"}, {"do": "sdk_message", "message": "direct"}]),
            Value::Null,
        ),
        (
            "the SDK itself, beside the handler",
            json!([{"do": "sdk_tag", "key": "colour", "value": "blue"}, {"do": "spawn", "steps": [{"do": "sdk_message", "message": "direct, beside"}]}]),
            Value::Null,
        ),
    ]
}

#[test]
fn both_ways_to_a_hub_make_the_same_events_of_every_failure() {
    let ways = ways_to_fail();
    for behind_proxy in [false, true] {
        let [own, of_sentry_actix] = ["0", "0.000001"].map(|share| events(share, behind_proxy, &ways));
        assert_eq!(own.len(), ways.len(), "{:?}", own.iter().map(about).collect::<Vec<_>>());
        let url = if behind_proxy { "https://shop.example" } else { "http://here" };
        for (one, other) in own.iter().zip(&of_sentry_actix) {
            assert_eq!(one, other, "{} differs from {}", about(one), about(other));
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
fn what_is_told_to_the_sdk_stays_in_its_request() {
    for transactions in ["0", "0.000001"] {
        let project = Bugsink::shared().project();
        let service = probe_with(&project).env("APP__SENTRY__TRACES_SAMPLE_RATE", transactions);
        // One worker: its requests share a thread.
        let app = service.env("APP__SERVER__WORKERS", "1").start();
        thread::scope(|scope| {
            scope.spawn(|| {
                let steps = json!([
                    {"do": "sdk_tag", "key": "colour", "value": "blue"}, {"do": "sleep", "ms": 300},
                    {"do": "sdk_message", "message": "the first"},
                ]);
                asked(&app, &steps, &Value::Null).send();
            });
            thread::sleep(Duration::from_millis(100));
            asked(&app, &json!([{"do": "sdk_message", "message": "meanwhile"}]), &Value::Null).send();
        });
        asked(&app, &json!([{"do": "sdk_message", "message": "afterwards"}]), &Value::Null).send();
        let records = app.stop().records();
        assert!(of_kind(&records, "uncaught").is_empty());
        let mut colours: Vec<_> =
            project.events().iter().map(|event| (about(event), event["tags"]["colour"].clone())).collect();
        colours.sort_by_key(|(about, _)| about.clone());
        let told = [("afterwards", Value::Null), ("meanwhile", Value::Null), ("the first", json!("blue"))];
        assert_eq!(colours, told.map(|(about, colour)| (about.to_owned(), colour)));
        assert!(project.events().iter().all(|event| crumbs(event).is_empty()));
    }
}
