use super::super::fake_endpoint::Reply::{Hang, Status};
use super::super::fake_endpoint::eventually;
use super::super::test_delivery::{SECOND, TestDelivery};
use super::super::test_support::{TempDir, event, transaction};
use super::*;

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
    let delivery = TestDelivery::start(None, [Hang]);
    delivery.send("in flight");
    delivery.assert_received(&["in flight"]);
    let large = "x".repeat(11 << 20);
    for _ in 0..3 {
        delivery.send(&large);
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
    assert!(body.contains("notes.txt"), "{body}");
}

#[test]
fn send_now_returns_sentrys_error() {
    let endpoint = super::super::fake_endpoint::FakeEndpoint::start([Status(200), Status(403), Status(500)]);
    let send = || send_now(&endpoint.dsn, "test", &event("test"));
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
    assert_eq!(delivery.sink.lines().len(), 1);
}
