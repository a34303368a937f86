//! Sinks that overrides switch off and on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::peers::bad_sentry::{BadSentry, Behaviour};
use system_tests::peers::bugsink::Bugsink;

use super::{changes, controlled, service, set};
use crate::support::{event_message, of_kind, probe, probe_with, run};

const SECRET: &str = "hunter2-of-the-canary";

#[test]
fn overrides_and_debug_tokens_reveal_no_secret() {
    let key = "a debug key of the tests, longer than 32 bytes";
    let project = Bugsink::shared().project();
    let service = controlled(probe_with(&project))
        .env("APP__LOG__DEBUG_KEY", key)
        .env("APP__LOG__ON_FAILURE__LEVEL", "trace")
        .env("APP__LOG__REQUEST__BODY", "redacted")
        .start();
    let token = service.sibling().env("APP__LOG__DEBUG_KEY", key).arg("log").arg("token");
    let token = token.arg("--level").arg("trace").arg("--route").arg("POST /probe/run").run().stdout;
    let steps = json!([
        {"do": "log", "level": "trace", "message": format!("Bearer {SECRET}")},
        {"do": "breadcrumb", "level": "trace", "message": "left", "data": {"password": SECRET}},
        {"do": "capture_exception", "message": "caught"},
    ]);
    let body = json!({"token": SECRET}).to_string();
    let finish = json!({"respond": {"status": 500, "content_type": "application/json", "body": body}});
    let script = json!({"steps": steps, "finish": finish});
    let send = || {
        let request = service.post(&format!("/probe/run?api_key={SECRET}")).bearer(SECRET).header("cookie", SECRET);
        request.header("x-debug-log", token.trim_end()).json(&script).send();
        service.post("/users/login").json(&json!({"email": "a@b.example", "password": SECRET})).send();
    };
    for (id, set) in [
        ("level", json!({"log.level": "trace"})),
        ("levels", json!({"log.levels.actix_http": "trace", "log.levels.rustls": "trace"})),
        ("bodies", json!({"log.response.body": "redacted", "log.request.body": "redacted"})),
        ("sentry", json!({"sentry.breadcrumb_level": "trace", "sentry.event_level": "debug"})),
    ] {
        super::set(&service, id, &set);
        send();
    }
    let stopped = service.stop();
    assert!(stopped.stderr.contains("[redacted]"));
    assert!(!stopped.stderr.contains(SECRET), "{}", stopped.stderr);
    let events = project.events();
    assert!(!events.is_empty());
    for event in events {
        assert!(!event.to_string().contains(SECRET), "{event}");
    }
}

fn caught(message: &str) -> Value {
    json!([{"do": "capture_exception", "message": message}])
}

#[test]
fn sentry_starts_when_a_mode_first_needs_it() {
    let project = Bugsink::shared().project();
    let service = controlled(probe_with(&project)).env("APP__LOG__MODE", "stderr").start();
    run(
        service.client(),
        json!([{"do": "capture_exception", "message": "before"}, {"do": "sdk_message", "message": "direct before"}]),
        Value::Null,
    );
    set(&service, "on", &json!({"log.mode": "both"}));
    run(
        service.client(),
        json!([{"do": "capture_exception", "message": "after"}, {"do": "sdk_message", "message": "direct after"}]),
        Value::Null,
    );
    service.stop();
    let mut events: Vec<String> = project.events().iter().map(event_message).collect();
    events.sort();
    assert_eq!(events, ["after", "direct after"]);
}

#[test]
fn spooled_events_are_sent_when_sentry_is_reenabled() {
    let sentry = BadSentry::start(Behaviour::Respond("503 Service Unavailable"));
    let service = controlled(probe()).env("SENTRY_DSN", sentry.dsn()).env("APP__SENTRY__SPOOL_DIR", "spool").start();
    run(service.client(), caught("one"), Value::Null);
    service.wait_record("the spool in use", |record| record["target"] == "cyanotype::sentry");
    set(&service, "switch", &json!({"log.mode": "stderr"}));
    let attempts = sentry.connections();
    set(&service, "switch", &json!({"log.mode": "both"}));
    system_tests::wait::until("another attempt", Duration::from_secs(30), || {
        (sentry.connections() > attempts).then_some(())
    });
}

#[test]
fn mode_switches_work_while_sentry_hangs() {
    let sentry = BadSentry::start(Behaviour::Hang);
    let service = service().env("SENTRY_DSN", sentry.dsn()).env("APP__LOG__MODE", "off").start();
    run(service.client(), caught("in off"), Value::Null);
    assert_eq!(sentry.connections(), 0);
    set(&service, "switch", &json!({"log.mode": "both"}));
    for n in 0..20 {
        let began = Instant::now();
        run(service.client(), caught(&format!("in both {n}")), Value::Null);
        assert!(began.elapsed() < Duration::from_secs(2), "a request never waits for a sink");
    }
    system_tests::wait::until("an attempt", Duration::from_secs(10), || (sentry.connections() > 0).then_some(()));
    set(&service, "switch", &json!({"log.mode": "off"}));
    run(service.client(), caught("in off again"), Value::Null);
    let began = Instant::now();
    let stopped = service.stop();
    assert!(began.elapsed() < Duration::from_secs(9), "within server.shutdown_timeout_s");
    let records = stopped.records();
    let exceptions: Vec<_> = of_kind(&records, "exception")
        .iter()
        .map(|record| record["message"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(exceptions, (0..20).map(|n| format!("in both {n}")).collect::<Vec<_>>());
    // No other service records: neither losses nor a stop record.
    let service_records = of_kind(&records, "service");
    assert_eq!(service_records.len(), 2, "{service_records:?}");
    let modes: Vec<_> = changes(&records).iter().map(|change| change["after"]["log.mode"].clone()).collect();
    assert_eq!(modes, ["both", "off"]);
}
