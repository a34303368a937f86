use super::super::fake_endpoint::Reply::{Hang, Status};
use super::super::fake_endpoint::eventually;
use super::super::test_delivery::{SECOND, TestDelivery};
use super::super::test_support::{TempDir, event, transaction};
use super::*;
use sentry::protocol::Event;

#[test]
fn shutdown_spools_in_flight_and_queued_events() {
    let dir = TempDir::new();
    let delivery = TestDelivery::start(Some(&dir), [Hang]);
    ["one", "two", "three"].iter().for_each(|message| delivery.send(message));
    delivery.assert_received(&["one"]);
    assert!(!delivery.transport.shutdown(Duration::from_millis(20)));
    assert_eq!(dir.messages(), ["one", "two", "three"]);
    delivery.endpoint.release();
    eventually("the worker ends", || Arc::strong_count(&delivery.transport.queue) == 1);
    assert_eq!(dir.messages(), ["one", "two", "three"], "nothing is spooled twice");
    delivery.send("four");
    assert_eq!(dir.messages(), ["one", "two", "three", "four"]);
    assert_eq!(delivery.sink.messages(), [""; 0]);
}

#[test]
fn shutdown_without_a_spool_writes_undelivered_events() {
    let delivery = TestDelivery::start(None, [Hang]);
    ["one", "two"].iter().for_each(|message| delivery.send(message));
    delivery.assert_received(&["one"]);
    assert!(!delivery.transport.shutdown(Duration::ZERO));
    assert_eq!(delivery.sink.events(), ["one", "two"]);
    let message = "event not delivered to Sentry: service stopped before delivery";
    assert_eq!(delivery.sink.messages(), [message; 2]);
    delivery.send("three");
    let message = "event not delivered to Sentry: transport queue full or closed";
    assert_eq!(delivery.sink.messages()[2..], [message]);
}

#[test]
fn shutdown_interrupts_the_retry_pause() {
    let dir = TempDir::new();
    let delivery = TestDelivery::start(Some(&dir), [Status(500)]);
    delivery.send("one");
    delivery.assert_received(&["one"]);
    assert!(!delivery.transport.shutdown(Duration::ZERO));
    eventually("the worker ends", || Arc::strong_count(&delivery.transport.queue) == 1);
    assert_eq!(dir.messages(), ["one"]);
    delivery.assert_received(&["one"]);
}

#[test]
fn shutdown_waits_for_queued_events() {
    let delivery = TestDelivery::start(None, []);
    ["one", "two", "three"].iter().for_each(|message| delivery.send(message));
    assert!(delivery.transport.shutdown(20 * SECOND));
    delivery.assert_received(&["one", "two", "three"]);
    assert_eq!(delivery.sink.messages(), [""; 0]);
}

#[test]
fn events_beyond_the_queue_limit_are_written() {
    let delivery = TestDelivery::with_queue_bytes(32 << 10, [Hang]);
    delivery.send("in flight");
    delivery.assert_received(&["in flight"]);
    // A larger event would be trimmed.
    let large = Event { release: Some("x".repeat(11 << 10).into()), ..Default::default() };
    for _ in 0..3 {
        delivery.transport.send_envelope(large.clone().into());
    }
    let message = "event not delivered to Sentry: transport queue full or closed";
    assert_eq!(delivery.sink.messages(), [message], "the third does not fit");
}

#[test]
fn secrets_in_transactions_are_redacted() {
    let mut secret = sentry::protocol::Transaction { name: Some("GET /".into()), ..Default::default() };
    secret.extra.insert("password".into(), "hunter2".into());
    let mut envelope = Envelope::from(secret);
    envelope.add_item(sentry::protocol::Attachment { filename: "notes.txt".into(), ..Default::default() });
    let delivery = TestDelivery::start(None, []);
    delivery.transport.send_envelope(envelope);
    delivery.wait_idle();
    let body = String::from_utf8_lossy(&delivery.endpoint.received()[0].body).into_owned();
    assert!(body.contains("password") && !body.contains("hunter2"), "{body}");
    assert!(!body.contains("notes.txt"), "an attachment cannot be redacted: {body}");
}

#[test]
fn items_that_code_sends_are_redacted_or_dropped_and_counted() {
    use sentry::protocol::{Attachment, Log, LogLevel, Metric, MetricType, SessionUpdate};
    let text = "password=hunter2".to_owned();
    let attribute = || sentry::protocol::LogAttribute::from(text.clone());
    let now = std::time::SystemTime::now();
    let log = Log {
        level: LogLevel::Info,
        body: text.clone(),
        trace_id: None,
        timestamp: now,
        severity_number: None,
        attributes: [("note".to_owned(), attribute()), ("api_key".to_owned(), "hunter2".into())].into(),
    };
    let metric = Metric {
        r#type: MetricType::Counter,
        name: "orders".into(),
        value: 1.0,
        timestamp: now,
        trace_id: Default::default(),
        span_id: None,
        unit: None,
        attributes: [("note".into(), attribute()), ("pin".into(), "hunter2".into())].into(),
    };
    let session: SessionUpdate<'_> = serde_json::from_value(serde_json::json!({
        "did": text, "attrs": {"release": "app@1", "user_agent": text},
    }))
    .expect("a session");
    let mut envelope = Envelope::new();
    envelope.add_item(vec![log]);
    envelope.add_item(vec![metric]);
    envelope.add_item(session);
    envelope.add_item(event(&text).event().expect("it has one").clone());
    envelope.add_item(Attachment { buffer: b"hunter2".to_vec(), filename: "notes.txt".into(), ..Default::default() });
    let delivery = TestDelivery::start(None, []);
    delivery.transport.send_envelope(envelope);
    let raw = b"{}\n{\"type\":\"feedback\"}\n{\"note\":\"hunter2\"}\n";
    delivery.transport.send_envelope(Envelope::from_bytes_raw(raw.to_vec()).expect("it is accepted"));
    delivery.wait_idle();
    let bodies: Vec<String> =
        delivery.endpoint.received().iter().map(|it| String::from_utf8_lossy(&it.body).into_owned()).collect();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert!(!bodies[0].contains("hunter2"), "{bodies:?}");
    for kind in ["log", "trace_metric", "session", "event"] {
        assert!(bodies[0].contains(&format!("\"type\":\"{kind}\"")), "{kind}: {bodies:?}");
    }
    delivery.transport.shutdown(SECOND);
    let lines = delivery.sink.lines();
    let (level, message, detail) = &lines[0];
    assert_eq!((lines.len(), *level), (1, cyanotype_telemetry::Level::Warning), "{lines:?}");
    assert_eq!(message, "dropped 2 items sent with the Sentry SDK, which cannot be redacted");
    assert_eq!(detail["dropped"], serde_json::json!({"attachment": 1, "raw": 1}));
}

#[test]
fn send_now_returns_sentrys_error() {
    let endpoint = super::super::fake_endpoint::FakeEndpoint::start([Status(200), Status(403), Status(500)]);
    let send = || send_now(&endpoint.dsn, "test", None, &event("test"));
    assert_eq!(send(), Ok(()));
    assert_eq!(send(), Err("Sentry returned 403 Forbidden".into()));
    assert_eq!(send(), Err("Sentry returned 500 Internal Server Error".into()));
    assert_eq!(endpoint.messages(), ["test"; 3]);
}

#[test]
fn undelivered_transactions_are_not_written() {
    let delivery = TestDelivery::start(None, [Hang]);
    delivery.send("in flight");
    delivery.assert_received(&["in flight"]);
    delivery.transport.send_envelope(transaction("GET /"));
    delivery.transport.shutdown(Duration::ZERO);
    assert_eq!(delivery.sink.events(), ["in flight"]);
    let dropped = "dropped 1 envelopes for Sentry (transaction): service stopped before delivery";
    assert_eq!(delivery.sink.messages()[1..], [dropped]);
}
