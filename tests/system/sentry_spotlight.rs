//! Copies of what is sent to Sentry go to Spotlight in development.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::peers::bad_sentry::{BadSentry, Behaviour};
use system_tests::peers::recording_sentry::{Envelope, RecordingSentry};
use system_tests::service::{Running, Service};
use system_tests::{ports, wait};

use crate::support::{probe, run};

const LIMIT: Duration = Duration::from_secs(20);

fn accepts(_: &Envelope) -> &'static str {
    "200 OK"
}

fn with_spotlight(env: &str, port: u16) -> Service {
    probe().env("APP__ENV", env).env("SENTRY_SPOTLIGHT", format!("http://localhost:{port}/stream"))
}

fn capture(service: &Running) {
    run(service.client(), json!([{"do": "capture_event", "message": "captured"}]), Value::Null);
}

#[track_caller]
fn wait_event(peer: &RecordingSentry) -> Value {
    wait::until("the event", LIMIT, || peer.payloads("event").into_iter().next())
}

#[test]
fn spotlight_gets_a_copy_in_dev() {
    let (sentry, spotlight) = (RecordingSentry::start(accepts), RecordingSentry::start(accepts));
    let service = with_spotlight("dev", spotlight.port()).env("SENTRY_DSN", sentry.dsn()).start();
    capture(&service);
    assert_eq!(wait_event(&sentry)["event_id"], wait_event(&spotlight)["event_id"]);
    let head = spotlight.envelopes()[0].head.to_ascii_lowercase();
    assert!(
        head.starts_with("post /stream ") && head.contains("content-type: application/x-sentry-envelope"),
        "{head}"
    );
}

#[test]
fn spotlight_works_without_a_dsn() {
    let spotlight = RecordingSentry::start(accepts);
    let service = with_spotlight("dev", spotlight.port()).start();
    capture(&service);
    wait_event(&spotlight);
}

#[test]
fn spotlight_is_ignored_in_prod() {
    let (sentry, spotlight) = (RecordingSentry::start(accepts), RecordingSentry::start(accepts));
    let service = with_spotlight("prod", spotlight.port()).env("SENTRY_DSN", sentry.dsn()).start();
    capture(&service);
    wait_event(&sentry);
    service.stop();
    assert_eq!(spotlight.envelopes().len(), 0);
}

#[test]
fn a_spotlight_that_hangs_or_is_absent_delays_nothing() {
    let hanging = BadSentry::start(Behaviour::Hang);
    for port in [hanging.port(), ports::free()] {
        let sentry = RecordingSentry::start(accepts);
        let service = with_spotlight("dev", port).env("SENTRY_DSN", sentry.dsn()).start();
        for _ in 0..100 {
            capture(&service);
        }
        wait::until("all events", LIMIT, || (sentry.payloads("event").len() == 100).then_some(()));
        service.stop();
    }
}

#[test]
fn an_unclear_value_is_refused() {
    let stopped = probe().env("SENTRY_SPOTLIGHT", "perhaps").run();
    assert_eq!(stopped.code(), Some(78), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("sentry.spotlight"), "{}", stopped.stderr);
}
