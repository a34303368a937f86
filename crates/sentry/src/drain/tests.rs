use super::super::fake_endpoint::Reply::{Header, Status};
use super::super::fake_endpoint::eventually;
use super::super::test_delivery::{MILLISECOND, SECOND, TestDelivery, fill_spool};
use super::super::test_support::TempDir;
use super::*;

#[test]
fn the_spool_is_drained_oldest_first_at_fifty_events_per_second() {
    let dir = TempDir::new();
    fill_spool(&dir, &["old 1", "old 2", "old 3"]);
    let delivery = TestDelivery::start(Some(&dir), []);
    delivery.assert_received(&["old 1"]);
    delivery.deliver("new 1");
    delivery.advance(Duration::from_millis(19));
    delivery.deliver("new 2");
    delivery.assert_received(&["old 1", "new 1", "new 2"]);
    delivery.advance(MILLISECOND);
    delivery.assert_received(&["old 1", "new 1", "new 2", "old 2"]);
    eventually("it is removed", || dir.messages() == ["old 3"]);
    delivery.deliver("new 3");
    delivery.advance(Duration::from_millis(20));
    delivery.assert_received(&["old 1", "new 1", "new 2", "old 2", "new 3", "old 3"]);
    eventually("the spool is empty", || dir.files().is_empty());
}

#[test]
fn an_empty_spool_is_checked_every_five_seconds() {
    let dir = TempDir::new();
    let delivery = TestDelivery::start(Some(&dir), [Header(200, "X-Sentry-Rate-Limits", "1:error:organization")]);
    eventually("it is checked", || dir.path().is_dir());
    delivery.deliver("one");
    delivery.deliver("limited");
    assert_eq!(dir.messages(), ["limited"]);
    delivery.advance(5 * SECOND - MILLISECOND);
    delivery.deliver("two");
    delivery.assert_received(&["one", "two"]);
    delivery.advance(MILLISECOND);
    delivery.assert_received(&["one", "two", "limited"]);
}

#[test]
fn a_rejected_spooled_event_is_written_to_stderr_and_the_next_is_sent() {
    let dir = TempDir::new();
    fill_spool(&dir, &["old 1", "old 2"]);
    let delivery = TestDelivery::start(Some(&dir), [Status(400)]);
    eventually("the first is written", || delivery.sink.events() == ["old 1"] && dir.messages() == ["old 2"]);
    delivery.deliver("new");
    delivery.advance(Duration::from_millis(20));
    delivery.assert_received(&["old 1", "new", "old 2"]);
    eventually("the spool is empty", || dir.files().is_empty());
}

#[test]
fn after_three_failures_the_next_spooled_event_is_tried() {
    let dir = TempDir::new();
    fill_spool(&dir, &["bad", "good", "better"]);
    let delivery = TestDelivery::start(Some(&dir), [Status(500); 3]);
    for (attempt, seconds) in [1, 2, 4].into_iter().enumerate() {
        eventually("it is tried", || delivery.endpoint.received().len() == attempt + 1);
        // Waits until the failure has been handled.
        delivery.deliver("new");
        delivery.advance(seconds * SECOND);
    }
    eventually("the next is sent", || delivery.endpoint.received().len() == 4);
    assert_eq!(delivery.endpoint.messages(), ["bad", "bad", "bad", "good"]);
    eventually("it is removed", || !dir.messages().contains(&"good".to_owned()));
    delivery.deliver("newer");
    delivery.advance(Duration::from_millis(20));
    eventually("another is sent", || delivery.endpoint.received().len() == 6);
    assert_eq!(delivery.endpoint.messages()[4..], ["newer", "better"], "the bad event is moved to the end");
}

#[test]
fn draining_respects_rate_limits() {
    let dir = TempDir::new();
    fill_spool(&dir, &["old 1", "old 2"]);
    let delivery = TestDelivery::start(Some(&dir), [Header(200, "X-Sentry-Rate-Limits", "60:error:organization")]);
    delivery.assert_received(&["old 1"]);
    delivery.deliver("new");
    delivery.advance(Duration::from_millis(20));
    delivery.send_transaction("GET /");
    delivery.assert_received(&["old 1", "GET /"]);
    assert_eq!(dir.messages(), ["old 2", "new"]);
}

#[test]
fn the_backoff_doubles_from_one_second_to_thirty() {
    let dir = TempDir::new();
    fill_spool(&dir, &["old"]);
    let delivery = TestDelivery::start(Some(&dir), [Status(500); 8]);
    for (attempt, seconds) in [1, 2, 4, 8, 16, 30, 30].into_iter().enumerate() {
        eventually("it is tried", || delivery.endpoint.received().len() == attempt + 1);
        // Waits until the worker has handled the failure and read the clock again.
        delivery.deliver("new");
        delivery.advance(seconds * SECOND - MILLISECOND);
        delivery.deliver("new");
        assert_eq!(delivery.endpoint.received().len(), attempt + 1, "not before {seconds} s");
        delivery.advance(MILLISECOND);
    }
    eventually("it is tried", || delivery.endpoint.received().len() == 8);
    assert_eq!(delivery.endpoint.messages()[..3], ["old"; 3]);
}

#[test]
fn a_single_spooled_event_is_retried() {
    let dir = TempDir::new();
    fill_spool(&dir, &["bad"]);
    let delivery = TestDelivery::start(Some(&dir), [Status(500); 4]);
    for (attempt, seconds) in [1, 2, 4, 8].into_iter().enumerate() {
        eventually("it is tried", || delivery.endpoint.received().len() == attempt + 1);
        delivery.advance(seconds * SECOND);
    }
    delivery.assert_received(&["bad"; 5]);
    eventually("the spool is empty", || dir.files().is_empty());
}
