//! `cyanotype::scope` and the builders of one event: tags, user, contexts and fingerprint, on stderr and in Sentry.

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;
use system_tests::service::Service;

use crate::support::{event_message, exceptions, of_kind, probe, probe_with, run};

/// Everything that `scope` can set, with secrets in it.
fn everything() -> Value {
    json!({
        "do": "scope",
        "tags": {"plan": "free", "api_key": "t0psecret"},
        "user": {"id": "7", "email": "ada@example.org", "ip_address": "192.0.2.7", "password": "t0psecret"},
        "context": {"cart": {"items": 3, "pin": "t0psecret"}},
        "fingerprint": ["of the caller", "token=t0psecret"],
    })
}

fn steps() -> Value {
    json!([
        {"do": "log", "level": "info", "message": "before"},
        {"do": "capture_event", "message": "1 before"},
        everything(),
        {"do": "scope", "tags": {"shard": 7}},
        {"do": "log", "level": "info", "message": "after"},
        {"do": "breadcrumb", "message": "a breadcrumb"},
        {"do": "capture_event", "message": "2 with its own tag", "tags": {"plan": "paid", "token": "t0psecret"}},
        {"do": "capture_exception", "message": "3 with its own tag", "tags": {"plan": "paid"}},
        {"do": "sdk_message", "message": "4 direct"},
        {"do": "span", "steps": [{"do": "spawn", "steps": [{"do": "log", "level": "error", "message": "5 spawned"}]}]},
    ])
}

/// The records of the steps and an error, and of a second request.
fn records(service: Service) -> Vec<Value> {
    let service = service.env("APP__SERVER__WORKERS", "1").start();
    run(service.client(), steps(), json!({"error": "6 returned"}));
    run(service.client(), json!([{"do": "log", "level": "info", "message": "another request"}]), Value::Null);
    service.stop().records()
}

/// Kind, message, tags and user of the records of requests.
fn shown(records: &[Value]) -> Vec<(String, String, Value, Value)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of_requests = records.iter().filter(|record| record.get("request_id").is_some());
    of_requests.map(|it| (text(&it["kind"]), text(&it["message"]), it["tags"].clone(), it["user"].clone())).collect()
}

#[test]
fn a_scope_is_on_the_later_records_of_its_request() {
    let records = shown(&records(probe()));
    let free = json!({"plan": "free", "api_key": "[redacted]", "shard": "7"});
    let paid = json!({"plan": "paid", "api_key": "[redacted]", "shard": "7"});
    let message = json!({"plan": "paid", "api_key": "[redacted]", "shard": "7", "token": "[redacted]"});
    let user = json!({"id": "7", "email": "ada@example.org", "ip_address": "192.0.2.7", "password": "[redacted]"});
    let row = |kind: &str, message: &str, tags: &Value, user: &Value| {
        (kind.to_owned(), message.to_owned(), tags.clone(), user.clone())
    };
    let none = &Value::Null;
    let expected = [
        row("line", "before", none, none),
        row("message", "1 before", none, none),
        row("line", "after", &free, &user),
        row("breadcrumb", "a breadcrumb", &free, &user),
        row("message", "2 with its own tag", &message, &user),
        row("exception", "3 with its own tag", &paid, &user),
        row("line", "5 spawned", &free, &user),
        row("uncaught", "6 returned", &free, &user),
        row("response", "POST /probe/run 500", &free, &user),
        row("line", "another request", none, none),
        row("response", "POST /probe/run 204", none, none),
    ];
    // A record with a stack waits for its frames.
    let sorted = |mut rows: Vec<(String, String, Value, Value)>| {
        rows.sort_by_key(|(kind, message, ..)| (kind.clone(), message.clone()));
        rows
    };
    assert_eq!(sorted(records), sorted(expected.into()));
}

#[test]
fn sentry_does_not_change_the_records_of_a_scope() {
    let project = Bugsink::shared().project();
    let sorted = |records: Vec<Value>| {
        let mut rows: Vec<String> = shown(&records).iter().map(|row| format!("{row:?}")).collect();
        rows.sort();
        rows
    };
    assert_eq!(sorted(records(probe_with(&project))), sorted(records(probe())));
}

#[test]
fn a_scope_is_on_the_later_events_of_its_request() {
    let project = Bugsink::shared().project();
    let records = records(probe_with(&project));
    let mut events = project.events();
    events.sort_by_key(event_message);
    let messages: Vec<String> = events.iter().map(event_message).collect();
    let expected = ["1 before", "2 with its own tag", "3 with its own tag", "4 direct", "5 spawned", "6 returned"];
    assert_eq!(messages, expected);
    let plans: Vec<&Value> = events.iter().map(|event| &event["tags"]["plan"]).collect();
    assert_eq!(plans, [&Value::Null, &json!("paid"), &json!("paid"), &json!("free"), &json!("free"), &json!("free")]);
    assert!(events[0].get("user").is_none_or(Value::is_null) && events[0]["contexts"].get("cart").is_none());
    let request_id = &of_kind(&records, "uncaught")[0]["request_id"];
    for event in &events[1..] {
        assert_eq!((&event["tags"]["shard"], &event["tags"]["request_id"]), (&json!("7"), request_id), "{event}");
        let user = &event["user"];
        assert_eq!((&user["id"], &user["email"]), (&json!("7"), &json!("ada@example.org")), "{event}");
        assert_eq!((&user["ip_address"], &user["password"]), (&json!("192.0.2.7"), &json!("[redacted]")), "{event}");
        let cart = &event["contexts"]["cart"];
        assert_eq!((&cart["items"], &cart["pin"]), (&json!(3), &json!("[redacted]")), "{event}");
        assert_eq!(event["fingerprint"], json!(["of the caller", "token=[redacted]"]), "{event}");
        assert!(!event.to_string().contains("t0psecret"), "{event}");
    }
    assert_eq!(exceptions(&events[5]).last().map(|error| &error["mechanism"]["handled"]), Some(&json!(false)));
}

#[test]
fn a_pretty_record_shows_its_scope() {
    let service = probe().env("APP__LOG__FORMAT", "pretty").start();
    run(service.client(), json!([everything(), {"do": "log", "level": "info", "message": "after"}]), Value::Null);
    let stderr = service.stop().stderr;
    for line in ["after", "/probe/run"] {
        let line = stderr.lines().find(|it| it.contains(line)).unwrap_or_else(|| panic!("no {line}: {stderr}"));
        assert!(line.contains("tags.plan=free") && line.contains("user.id=7"), "{line}");
        assert!(line.contains("tags.api_key=[redacted]"), "{line}");
    }
}
