use sentry::Transport as _;
use serde_json::json;

use super::super::fake_endpoint::Reply::{Header, Status};
use super::super::fake_endpoint::{FakeEndpoint, eventually, refusing_dsn};
use super::super::spool::Spool;
use super::super::test_delivery::{MILLISECOND, SECOND, SPOOL_BYTES, TestDelivery, fill_spool};
use super::super::test_support::{TempDir, bytes, event};
use super::*;
use cyanotype_telemetry::Level;

#[test]
fn events_are_sent_in_order() {
    let delivery = TestDelivery::start(None, []);
    let messages = ["one", "two", "three", "four"];
    messages.iter().for_each(|message| delivery.send(message));
    delivery.wait_idle();
    delivery.assert_received(&messages);
    assert_eq!(delivery.sink.messages(), [""; 0]);
    let head = &delivery.endpoint.received()[0].head;
    assert!(head.starts_with("post /api/7/envelope/ "), "{head}");
    assert!(head.contains("sentry_key=public"), "{head}");
    assert!(!head.contains("content-encoding"), "a small one is not compressed: {head}");
}

#[test]
fn large_events_are_compressed() {
    let delivery = TestDelivery::start(None, []);
    let long = "x".repeat(5000);
    delivery.deliver(&long);
    delivery.assert_received(&[&long]);
    assert!(delivery.endpoint.received()[0].head.contains("content-encoding: gzip"));
}

#[test]
fn a_failed_event_is_tried_three_times() {
    let dir = TempDir::new();
    let delivery = TestDelivery::start(Some(&dir), [Status(500), Status(503)]);
    delivery.deliver("one");
    delivery.assert_received(&["one", "one", "one"]);
    let received = delivery.endpoint.received();
    assert!(received[1].at - received[0].at >= Duration::from_millis(200));
    assert!(received[2].at - received[1].at >= Duration::from_millis(400));
    assert_eq!((dir.files().len(), delivery.sink.messages().len()), (0, 0), "nothing is spooled or written");
}

#[test]
fn without_a_spool_events_are_written_while_sentry_is_unavailable() {
    let delivery = TestDelivery::start(None, [Status(500); 3]);
    delivery.deliver("one");
    delivery.deliver("two");
    delivery.send_transaction("GET /");
    delivery.wait_idle();
    delivery.assert_received(&["one"; 3]);
    assert_eq!(delivery.sink.events(), ["one", "two"], "transactions are not written");
    let (level, message, detail) = &delivery.sink.lines()[0];
    assert_eq!(*level, Level::Error);
    assert_eq!(message, "event not delivered to Sentry: Sentry returned 500 Internal Server Error");
    assert_eq!(detail["reason"], "Sentry returned 500 Internal Server Error");
    assert_eq!(detail["event"]["message"], "one");
    delivery.advance(SECOND - MILLISECOND);
    delivery.deliver("three");
    assert_eq!(delivery.sink.events(), ["one", "two", "three"]);
    delivery.advance(MILLISECOND);
    delivery.deliver("four");
    delivery.assert_received(&["one", "one", "one", "four"]);
    let lines = delivery.sink.lines();
    assert_eq!(lines[3].1, "dropped 1 envelopes for Sentry (transaction): Sentry unavailable");
    assert_eq!((lines[4].0, lines[4].1.as_str()), (Level::Info, "Sentry available again"));
    delivery.deliver("five");
    assert_eq!(lines.len(), delivery.sink.lines().len(), "it is logged once");
}

#[test]
fn permanently_rejected_events_are_written_in_full() {
    let dir = TempDir::new();
    let delivery = TestDelivery::start(Some(&dir), [Status(400), Status(413)]);
    delivery.deliver("one");
    delivery.deliver("two");
    delivery.deliver("three");
    delivery.assert_received(&["one", "two", "three"]);
    assert_eq!(delivery.sink.events(), ["one", "two"]);
    let reasons = delivery.sink.messages();
    assert_eq!(reasons[0], "event not delivered to Sentry: Sentry returned 400 Bad Request");
    assert_eq!(reasons[1], "event not delivered to Sentry: Sentry returned 413 Payload Too Large");
    assert_eq!(dir.files().len(), 0);
}

#[test]
fn temporarily_rejected_events_are_spooled_and_sent_later() {
    let dir = TempDir::new();
    let delivery = TestDelivery::start(Some(&dir), [Status(500); 3]);
    delivery.deliver("one");
    delivery.deliver("two");
    assert_eq!(dir.messages(), ["one", "two"]);
    delivery.assert_received(&["one"; 3]);
    let (level, message, detail) = &delivery.sink.lines()[0];
    assert_eq!(*level, Level::Warning);
    assert_eq!(*message, format!("Sentry unavailable; spooling events to {}", dir.path().display()));
    assert_eq!(json!(detail), json!({"reason": "Sentry returned 500 Internal Server Error"}));
    delivery.advance(SECOND);
    delivery.assert_received(&["one", "one", "one", "one"]);
    eventually("it is removed", || dir.messages() == ["two"]);
    delivery.deliver("three");
    delivery.advance(Duration::from_millis(20));
    eventually("the spool is empty", || dir.files().is_empty());
    assert_eq!(delivery.endpoint.messages(), ["one", "one", "one", "one", "three", "two"]);
    assert_eq!(delivery.sink.messages()[1..], ["Sentry available again"]);
}

#[test]
fn events_are_spooled_when_the_connection_fails() {
    let dir = TempDir::new();
    let spool = Spool::new(dir.path(), SPOOL_BYTES, 3600 * SECOND);
    let mut endpoint = FakeEndpoint::start([]);
    endpoint.dsn = refusing_dsn();
    let delivery = TestDelivery::with_spool(Some(spool), endpoint);
    delivery.deliver("one");
    assert_eq!(dir.messages(), ["one"]);
    let reason = delivery.sink.lines()[0].2["reason"].as_str().map(str::to_owned);
    assert!(reason.as_ref().is_some_and(|reason| reason.contains("refused")), "{reason:?}");
}

#[test]
fn the_backoff_restarts_after_a_success() {
    let delivery = TestDelivery::start(None, [[Status(500); 3], [Status(200), Status(500), Status(500)]].concat());
    delivery.deliver("one");
    delivery.advance(SECOND);
    delivery.deliver("two");
    delivery.endpoint.script([Status(500)]);
    delivery.deliver("three");
    delivery.advance(SECOND);
    delivery.deliver("four");
    delivery.assert_received(&["one", "one", "one", "two", "three", "three", "three", "four"]);
}

#[test]
fn a_rate_limit_applies_to_its_category_only() {
    let dir = TempDir::new();
    let limits = Header(200, "X-Sentry-Rate-Limits", "60:error:organization");
    let delivery = TestDelivery::start(Some(&dir), [limits]);
    delivery.deliver("one");
    delivery.deliver("two");
    delivery.send_transaction("GET /");
    delivery.wait_idle();
    delivery.assert_received(&["one", "GET /"]);
    assert_eq!(dir.messages(), ["two"]);
    assert_eq!(delivery.sink.messages(), [""; 0], "a rate limit is not a failure");
}

#[test]
fn a_limit_of_transactions_never_delays_events() {
    let dir = TempDir::new();
    let limits = || Header(429, "X-Sentry-Rate-Limits", "5:transaction:organization:x");
    let delivery = TestDelivery::start(Some(&dir), [limits(), Status(200), Status(200), limits()]);
    for (transaction, event) in [("GET /1", "one"), ("GET /2", "two")] {
        delivery.send_transaction(transaction);
        // Else the event would overtake it in the queue.
        delivery.wait_idle();
        delivery.deliver(event);
    }
    delivery.assert_received(&["GET /1", "one", "two"]);
    delivery.advance(5 * SECOND);
    delivery.send_transaction("GET /3");
    delivery.wait_idle();
    delivery.deliver("three");
    delivery.assert_received(&["GET /1", "one", "two", "GET /3", "three"]);
    assert_eq!(dir.files().len(), 0, "nothing is spooled");
    eventually("drops are logged", || !delivery.sink.lines().is_empty());
    assert_eq!(delivery.sink.messages()[0], "dropped 2 envelopes for Sentry (transaction): rate limited by Sentry");
}

#[test]
fn a_limit_of_events_never_delays_transactions() {
    let dir = TempDir::new();
    let delivery = TestDelivery::start(Some(&dir), [Header(429, "X-Sentry-Rate-Limits", "60:error:organization")]);
    delivery.deliver("one");
    delivery.send_transaction("GET /");
    delivery.wait_idle();
    delivery.assert_received(&["one", "GET /"]);
    assert_eq!(dir.messages(), ["one"]);
}

#[test]
fn failures_of_transactions_never_delay_events() {
    let dir = TempDir::new();
    let delivery = TestDelivery::start(Some(&dir), [Status(503)]);
    delivery.send_transaction("GET /1");
    delivery.wait_idle();
    delivery.send_transaction("GET /2");
    delivery.wait_idle();
    delivery.deliver("one");
    delivery.assert_received(&["GET /1", "one"]);
    delivery.advance(SECOND);
    delivery.send_transaction("GET /3");
    delivery.wait_idle();
    delivery.assert_received(&["GET /1", "one", "GET /3"]);
    assert_eq!((dir.files().len(), delivery.transport.fallback.counts.sent(Category::Event)), (0, 2));
}

#[test]
fn sentrys_retry_after_is_respected() {
    let dir = TempDir::new();
    let delivery = TestDelivery::start(Some(&dir), [Header(429, "Retry-After", "1")]);
    delivery.deliver("one");
    delivery.assert_received(&["one"]);
    assert_eq!(dir.messages(), ["one"], "it is not retried");
    assert_eq!(delivery.sink.lines()[0].2["reason"], "Sentry returned 429 Too Many Requests");
    delivery.advance(SECOND);
    delivery.assert_received(&["one", "one"]);
}

#[test]
fn status_429_without_retry_after_means_a_limit_of_one_minute() {
    let delivery = TestDelivery::start(None, [Status(429)]);
    delivery.deliver("one");
    delivery.advance(59 * SECOND);
    delivery.deliver("two");
    delivery.assert_received(&["one"]);
    assert_eq!(delivery.sink.events(), ["one", "two"]);
}

#[test]
fn spool_losses_are_logged_together() {
    let dir = TempDir::new();
    let size = bytes(&event("event 0")).len() as u64;
    let spool = Spool::new(dir.path(), 2 * size, 3600 * SECOND);
    let delivery = TestDelivery::with_spool(Some(spool), FakeEndpoint::start([Status(500); 4]));
    delivery.deliver("event 0");
    delivery.advance(SECOND);
    delivery.assert_received(&["event 0"; 4]);
    (1..5).for_each(|n| delivery.deliver(&format!("event {n}")));
    assert_eq!(dir.messages(), ["event 3", "event 4"]);
    assert_eq!(delivery.sink.lines().len(), 1, "not at once");
    delivery.advance(SECOND);
    eventually("they are logged", || delivery.sink.lines().len() == 2);
    let (level, message, detail) = delivery.sink.lines().remove(1);
    assert_eq!(
        (level, message.as_str()),
        (Level::Warning, "dropped 3 spooled events: spool full (sentry.spool_max_bytes)")
    );
    assert_eq!(json!(detail), json!({"dropped": {"event": 3}}));
    delivery.transport.queue.wake();
    assert_eq!(delivery.endpoint.received().len(), 4, "the backoff is two seconds");
    // Later losses are logged at shutdown.
    delivery.deliver("event 5");
    delivery.transport.shutdown(Duration::ZERO);
    assert_eq!(delivery.sink.messages()[2..], ["dropped 1 spooled events: spool full (sentry.spool_max_bytes)"]);
}

#[test]
fn expired_and_invalid_spool_files_are_logged() {
    let dir = TempDir::new();
    fill_spool(&dir, &["old 1", "old 2"]);
    std::fs::write(dir.path().join("notes.txt"), "mine").expect("it is written");
    let spool = Spool::new(dir.path(), SPOOL_BYTES, Duration::ZERO);
    let delivery = TestDelivery::with_spool(Some(spool), FakeEndpoint::start([]));
    eventually("they are removed", || dir.files().is_empty());
    delivery.deliver("new");
    delivery.advance(SECOND);
    eventually("they are logged", || delivery.sink.lines().len() == 2);
    let expected =
        ["dropped 2 spooled events: older than sentry.spool_max_age_s", "quarantined invalid spool file notes.txt"];
    assert_eq!(delivery.sink.messages(), expected);
    assert!(dir.path().join("quarantine/notes.txt").is_file());
}

#[test]
fn a_panic_ends_one_delivery_but_not_the_worker() {
    let delivery = TestDelivery::start(None, [Status(500); 3]);
    delivery.deliver("one");
    *delivery.sink.panic_at.lock() = Some("Sentry available again");
    delivery.advance(SECOND);
    delivery.deliver("two");
    assert_eq!(delivery.sink.messages()[1..], ["event not delivered to Sentry: delivery panicked"]);
    delivery.deliver("three");
    delivery.assert_received(&["one", "one", "one", "two", "three"]);
}

#[test]
fn queue_and_spool_are_paused_while_the_mode_excludes_sentry() {
    let dir = TempDir::new();
    fill_spool(&dir, &["spooled"]);
    let delivery = TestDelivery::start(None, []);
    delivery.transport.queue.set_paused(true);
    delivery.send("one");
    assert!(!delivery.transport.flush(20 * SECOND), "a flush does not wait for it");
    delivery.advance(60 * SECOND);
    delivery.assert_received(&[]);
    delivery.transport.queue.set_paused(false);
    delivery.assert_received(&["one"]);

    let paused = TestDelivery::paused(&dir);
    paused.advance(60 * SECOND);
    paused.assert_received(&[]);
    paused.transport.queue.set_paused(false);
    paused.assert_received(&["spooled"]);
}

#[test]
fn an_event_in_flight_is_requeued_when_sentry_is_switched_off() {
    let dir = TempDir::new();
    let delivery = TestDelivery::start(Some(&dir), [Status(503); 2]);
    delivery.send("one");
    eventually("a first attempt", || !delivery.endpoint.received().is_empty());
    delivery.transport.queue.set_paused(true);
    eventually("the pause", || !delivery.transport.flush(Duration::ZERO) && delivery.transport.queue.is_quiescent());
    let attempts = delivery.endpoint.received().len();
    assert!(dir.files().is_empty() && delivery.sink.messages().is_empty(), "it is neither spooled nor written");
    delivery.transport.queue.set_paused(false);
    eventually("another attempt", || delivery.endpoint.received().len() > attempts);
}
