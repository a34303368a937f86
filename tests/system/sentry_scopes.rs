//! Each request has its own Sentry hub, with a transaction when transactions are on. Events are equal in both cases.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::http::Request;
use system_tests::peers::bugsink::{Bugsink, Project};
use system_tests::service::Running;

use crate::support::{breadcrumbs, event_message, of_kind, probe_with};

/// Long enough for a Bugsink that is busy with events of other tests.
const ARRIVAL: Duration = Duration::from_secs(30);

/// The client's trace id.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn request(app: &Running, steps: &Value, finish: &Value) -> Request {
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

/// The events of these requests, with or without transactions.
fn events(transactions: &str, behind_proxy: bool, scripts: &[(Value, Value)]) -> Vec<Value> {
    let project: Project = Bugsink::shared().project();
    // Bugsink has no use for transactions, so practically none is sampled.
    let app = probe_with(&project).env("APP__SENTRY__TRACES_SAMPLE_RATE", transactions);
    let app = app.env("APP__SERVER__TRUSTED_PROXIES", "127.0.0.1").start();
    for (steps, finish) in scripts {
        let mut request = request(&app, steps, finish);
        if behind_proxy {
            request = request.header("x-forwarded-host", "shop.example").header("x-forwarded-proto", "https");
        }
        // A failed body may end the connection.
        let _ = request.try_send();
    }
    let port = app.port.to_string();
    // Before the shutdown, whose time limit may be too short for a busy server.
    project.wait_events(scripts.len(), ARRIVAL);
    app.stop();
    let mut events: Vec<Value> = project.events();
    for event in &mut events {
        // The response contains the event id, and so does its breadcrumb.
        let id = event["event_id"].as_str().expect("an event has an id").replace('-', "");
        let text = event.to_string().replace(&format!("127.0.0.1:{port}"), "host").replace(&id, "event-id");
        *event = serde_json::from_str(&text).expect("it is still JSON");
        comparable(event);
    }
    events.sort_by_key(event_message);
    events
}

/// Removes fields that differ between any two events, and stack frames of the middleware.
fn comparable(event: &mut Value) {
    const VARYING: [&str; 9] = [
        "event_id",
        "timestamp",
        "received",
        "ingested_at",
        "sdk",
        "_meta",
        // They depend on where the process is loaded.
        "image_addr",
        "instruction_addr",
        "symbol_addr",
    ];
    match event {
        Value::Object(map) => {
            VARYING.iter().for_each(|key| drop(map.remove(*key)));
            // A transaction's trace context has more fields.
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

/// Scripts: steps and a finish.
fn failure_scripts() -> Vec<(Value, Value)> {
    let finishes = [
        json!({"error": "returned", "cause": "the cause"}),
        json!({"error": "captured", "report": "capture"}),
        json!({"error": "logged", "report": "log"}),
        json!({"panic": "panicked"}),
        json!({"respond": {"status": 503, "body": "busy"}}),
        json!({"stream": {"chunks": 3, "chunk": "x", "fail_after": 1}}),
    ];
    let spawned = |step: Value| json!([{"do": "spawn", "steps": [step]}]);
    let steps = [
        json!([{"do": "breadcrumb", "message": "before"}, {"do": "capture_exception", "message": "in passing"}]),
        json!([{"do": "capture_event", "message": "captured message"}]),
        json!([{"do": "log", "level": "critical", "message": "grave"}]),
        json!([{"do": "sdk_message", "message": "direct"}]),
        spawned(json!({"do": "capture_exception", "message": "spawned"})),
        spawned(json!({"do": "panic", "message": "panicked in a task"})),
        spawned(json!({"do": "sdk_message", "message": "direct, in a task"})),
    ];
    let finishes = finishes.map(|finish| (json!([]), finish));
    finishes.into_iter().chain(steps.map(|steps| (steps, Value::Null))).collect()
}

#[test]
fn events_are_equal_with_and_without_transactions() {
    let scripts = failure_scripts();
    for behind_proxy in [false, true] {
        let [without, with] = ["0", "0.000001"].map(|share| events(share, behind_proxy, &scripts));
        assert_eq!(without.len(), scripts.len(), "{:?}", without.iter().map(event_message).collect::<Vec<_>>());
        let url = if behind_proxy { "https://shop.example" } else { "http://host" };
        for (one, other) in without.iter().zip(&with) {
            assert_eq!(one, other, "{} differs from {}", event_message(one), event_message(other));
            assert_eq!(one["request"]["url"], format!("{url}/probe/run?page=2&token=[redacted]"), "{one}");
            assert_eq!(one["request"]["headers"]["user-agent"], "curl/8", "{one}");
            assert_eq!(one["contexts"]["trace"]["trace_id"], TRACE, "{one}");
            assert_eq!(one["transaction"], "POST /probe/run", "{one}");
            assert!(!one.to_string().contains("t0p"), "{one}");
        }
        assert_eq!(without.len(), with.len());
    }
}

#[test]
fn sdk_scope_changes_stay_within_the_request() {
    for transactions in ["0", "0.000001"] {
        let project = Bugsink::shared().project();
        let service = probe_with(&project).env("APP__SENTRY__TRACES_SAMPLE_RATE", transactions);
        // One worker, so that all requests share a thread.
        let app = service.env("APP__SERVER__WORKERS", "1").start();
        thread::scope(|scope| {
            scope.spawn(|| {
                let steps = json!([
                    {"do": "sdk_tag", "key": "colour", "value": "blue"},
                    {"do": "log", "level": "info", "message": "it waits"},
                    {"do": "sleep", "ms": 500},
                    {"do": "sdk_message", "message": "the first"},
                ]);
                request(&app, &steps, &Value::Null).send();
            });
            app.wait_record("the first to wait", |record| record["message"] == "it waits");
            request(&app, &json!([{"do": "sdk_message", "message": "meanwhile"}]), &Value::Null).send();
        });
        request(&app, &json!([{"do": "sdk_message", "message": "afterwards"}]), &Value::Null).send();
        project.wait_events(3, ARRIVAL);
        let records = app.stop().records();
        assert!(of_kind(&records, "uncaught").is_empty());
        let mut colours: Vec<_> =
            project.events().iter().map(|event| (event_message(event), event["tags"]["colour"].clone())).collect();
        colours.sort_by_key(|(about, _)| about.clone());
        let expected = [("afterwards", Value::Null), ("meanwhile", Value::Null), ("the first", json!("blue"))];
        assert_eq!(colours, expected.map(|(about, colour)| (about.to_owned(), colour)));
        assert!(project.events().iter().all(|event| breadcrumbs(event).is_empty()));
    }
}

/// The events of one request, by message.
fn events_of(transactions: &str, steps: &Value, finish: &Value, count: usize) -> Vec<(String, Value)> {
    let project = Bugsink::shared().project();
    let app = probe_with(&project).env("APP__SENTRY__TRACES_SAMPLE_RATE", transactions).start();
    request(&app, steps, finish).send();
    project.wait_events(count, ARRIVAL);
    app.stop();
    let mut events: Vec<_> = project.events().into_iter().map(|event| (event_message(&event), event)).collect();
    assert_eq!(events.len(), count, "{events:?}");
    events.sort_by_key(|(about, _)| about.clone());
    events
}

fn tags(events: &[(String, Value)], key: &str) -> Vec<(String, Value)> {
    events.iter().map(|(about, event)| (about.clone(), event["tags"][key].clone())).collect()
}

#[test]
fn an_event_has_the_sdk_scope_of_its_capture() {
    for transactions in ["0", "0.000001"] {
        let tag = |value: &str| json!({"do": "sdk_tag", "key": "stage", "value": value});
        let steps = json!([
            tag("one"), {"do": "capture_exception", "message": "1 caught"},
            tag("two"), {"do": "log", "level": "error", "message": "2 logged"},
            {"do": "sdk_with_scope", "key": "stage", "value": "inner", "message": "3 scoped"},
            {"do": "capture_event", "message": "4 after the scope"},
            {"do": "spawn", "steps": [tag("three"), {"do": "capture_event", "message": "5 spawned"}]},
            tag("four"),
        ]);
        let events = events_of(transactions, &steps, &json!({"error": "6 returned"}), 6);
        let expected = [
            ("1 caught", "one"),
            ("2 logged", "two"),
            ("3 scoped", "inner"),
            ("4 after the scope", "two"),
            ("5 spawned", "three"),
            ("6 returned", "four"),
        ];
        assert_eq!(tags(&events, "stage"), expected.map(|(about, stage)| (about.to_owned(), json!(stage))));
    }
}

#[test]
fn breadcrumbs_of_the_helper_and_the_sdk_are_in_order() {
    let project = Bugsink::shared().project();
    let app = probe_with(&project).env("APP__SENTRY__MAX_BREADCRUMBS", "5").start();
    let add = |step: &str, message: &str| json!({"do": step, "message": message});
    let steps = json!([
        add("sdk_breadcrumb", "1"), add("breadcrumb", "2"), add("sdk_breadcrumb", "3"), add("breadcrumb", "4"),
        add("sdk_breadcrumb", "5"), {"do": "log", "level": "info", "message": "6"},
        add("capture_exception", "caught"), add("sdk_breadcrumb", "7"), add("breadcrumb", "8"),
    ]);
    request(&app, &steps, &Value::Null).send();
    let events = project.wait_events(1, ARRIVAL);
    app.stop();
    assert_eq!(breadcrumbs(&events[0]), ["2", "3", "4", "5", "6"]);
}

#[test]
fn what_code_says_to_the_sdk_is_redacted() {
    let steps = json!([
        {"do": "sdk_tag", "key": "api_key", "value": "t0psecret"},
        {"do": "sdk_tag", "key": "note", "value": "password=t0psecret"},
        {"do": "sdk_breadcrumb", "message": "password=t0psecret"},
        {"do": "sdk_message", "message": "1 password=t0psecret"},
        {"do": "capture_event", "message": "2 helper"},
    ]);
    for (about, event) in events_of("0", &steps, &Value::Null, 2) {
        assert_eq!(event["tags"]["api_key"], "[redacted]", "{about}");
        assert!(!event.to_string().contains("t0psecret"), "{event}");
    }
}

#[test]
fn direct_sdk_events_have_the_tags_of_their_request() {
    for transactions in ["0", "0.000001"] {
        let steps =
            json!([{"do": "sdk_message", "message": "direct"}, {"do": "sdk_capture", "message": "direct error"}]);
        let events = events_of(transactions, &steps, &Value::Null, 2);
        let expected = |tag: &str| ["direct", "direct error"].map(|about| (about.to_owned(), json!(tag)));
        assert_eq!(tags(&events, "request_id"), expected("one"));
        assert_eq!(tags(&events, "blueprint"), expected("probe"));
    }
}
