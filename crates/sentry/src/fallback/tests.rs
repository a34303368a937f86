use std::fs;
use std::time::Duration;

use serde_json::json;

use super::super::fake_endpoint::message;
use super::super::test_support::{MemorySink, TempDir, TestClock, bytes, event, policy, transaction};
use super::*;

const HOUR: Duration = Duration::from_secs(3600);

struct Fixture {
    dir: TempDir,
    sink: Arc<MemorySink>,
    clock: TestClock,
    fallback: Fallback,
}

impl Fixture {
    fn new(max_bytes: Option<u64>) -> Self {
        Self::with_policy(max_bytes, policy())
    }

    fn with_policy(max_bytes: Option<u64>, policy: Policy) -> Self {
        let (dir, sink, clock) = (TempDir::new(), Arc::new(MemorySink::default()), TestClock::new());
        let spool = max_bytes.map(|max_bytes| Spool::new(dir.path(), max_bytes, HOUR));
        let fallback =
            Fallback::new(Arc::clone(&sink) as _, FullEventRecords::json(16_000), policy, spool, clock.clock());
        Self { dir, sink, clock, fallback }
    }

    fn spool(&self, message: &str) {
        self.fallback.undelivered(&queued(&event(message)), &failed());
    }
}

fn failed() -> Undelivered {
    Undelivered::Unavailable("it failed".into())
}

fn queued(envelope: &Envelope) -> QueuedEnvelope {
    QueuedEnvelope::new(envelope).expect("it can be written")
}

fn size(message: &str) -> u64 {
    bytes(&event(message)).len() as u64
}

#[test]
fn without_a_spool_an_event_is_written_in_full() {
    let test = Fixture::new(None);
    assert!(!test.fallback.has_spool());
    test.spool("one");
    let (level, message, detail) = test.sink.lines().remove(0);
    assert_eq!((level, message.as_str()), (Level::Error, "event not delivered to Sentry: it failed"));
    assert_eq!((&detail["reason"], &detail["event"]["message"]), (&json!("it failed"), &json!("one")));
    test.fallback.undelivered(&queued(&transaction("GET /")), &failed());
    assert_eq!(test.sink.lines().len(), 1, "a transaction is not written");
    assert!(test.fallback.claim(0).is_none());
    test.fallback.spool_last(&event("last"));
    test.fallback.skip_fsync();
    test.fallback.postpone_first();
    assert_eq!(test.sink.lines().len(), 1);
}

#[test]
fn spooled_events_are_claimed_in_order() {
    let test = Fixture::new(Some(1 << 20));
    assert!(test.fallback.has_spool());
    ["one", "two", "three"].iter().for_each(|message| test.spool(message));
    assert_eq!(test.dir.messages(), ["one", "two", "three"]);
    let second = test.fallback.claim(1).expect("there are three");
    assert_eq!(message(&second.bytes), "two");
    test.fallback.remove(second);
    assert_eq!(test.dir.messages(), ["one", "three"]);
    test.fallback.postpone_first();
    let first = test.fallback.claim(0).expect("there are two");
    assert_eq!(message(&first.bytes), "three");
    assert_eq!(test.sink.messages(), [""; 0]);
}

#[test]
fn an_event_that_cannot_be_spooled_is_written_with_the_reason() {
    let test = Fixture::new(Some(10));
    test.spool("one");
    let expected = format!(
        "event not delivered to Sentry: it failed; spooling failed: {} bytes exceed sentry.spool_max_bytes (10)",
        size("one")
    );
    assert_eq!(test.sink.messages(), [expected]);
    assert_eq!(test.sink.events(), ["one"]);
}

#[test]
fn the_last_event_is_spooled_without_logging() {
    let test = Fixture::new(Some(size("one")));
    test.fallback.spool_last(&event("one"));
    assert_eq!(test.dir.messages(), ["one"]);
    test.fallback.spool_last(&event("longer"));
    assert_eq!(test.dir.messages(), ["one"]);
    test.fallback.spool_last(&event("two"));
    assert_eq!(test.dir.messages(), ["two"]);
    assert_eq!((test.sink.lines().len(), test.fallback.losses_due()), (0, None));
}

#[test]
fn fsync_is_skipped_at_shutdown() {
    let test = Fixture::new(Some(1 << 20));
    assert!(test.fallback.lock_spool().expect("there is one").fsync);
    test.fallback.skip_fsync();
    assert!(!test.fallback.lock_spool().expect("there is one").fsync);
    test.spool("one");
    assert_eq!(test.dir.messages(), ["one"]);
}

#[test]
fn spool_errors_are_logged() {
    let test = Fixture::new(Some(1 << 20));
    fs::write(test.dir.path(), "not a directory").expect("it is written");
    assert!(test.fallback.claim(0).is_none());
    let (level, message, _) = test.sink.lines().remove(0);
    assert_eq!(level, Level::Warning);
    assert!(
        message.starts_with(&format!("cannot read the spool {} (sentry.spool_dir): ", test.dir.path().display())),
        "{message}"
    );
    fs::remove_file(test.dir.path()).expect("it is there");
    test.spool("one");
    let claim = test.fallback.claim(0).expect("there is one");
    fs::remove_file(&test.dir.files()[0]).expect("it is there");
    test.fallback.remove(claim);
    let message = test.sink.messages().remove(1);
    assert!(message.starts_with("cannot remove an event from the spool; it may be sent again: "), "{message}");
}

#[test]
fn losses_are_logged_together_one_second_after_the_first() {
    let test = Fixture::new(Some(2 * size("one")));
    let begin = test.clock.now();
    assert_eq!(test.fallback.losses_due(), None);
    ["one", "two"].iter().for_each(|message| test.spool(message));
    assert_eq!(test.fallback.losses_due(), None);
    ["six", "ten"].iter().for_each(|message| test.spool(message));
    test.clock.advance(Duration::from_millis(500));
    test.spool("end");
    assert_eq!(test.fallback.losses_due(), Some(begin + Duration::from_secs(1)));
    test.fallback.add_losses(SpoolLosses {
        expired: 1,
        quarantined: vec!["notes.txt".into()],
        ..SpoolLosses::default()
    });
    test.fallback.add_losses(SpoolLosses {
        expired: 1,
        quarantined: vec!["more.txt".into()],
        ..SpoolLosses::default()
    });
    assert_eq!(test.sink.lines().len(), 0);
    test.fallback.report_losses();
    let expected = [
        "dropped 3 spooled events: spool full (sentry.spool_max_bytes)",
        "dropped 2 spooled events: older than sentry.spool_max_age_s",
        "quarantined invalid spool file notes.txt",
        "quarantined invalid spool file more.txt",
    ];
    assert_eq!(test.sink.messages(), expected);
    let (level, _, detail) = test.sink.lines().remove(1);
    assert_eq!((level, json!(detail)), (Level::Warning, json!({"dropped": {"event": 2}})));
    assert_eq!(test.fallback.losses_due(), None);
    test.fallback.report_losses();
    assert_eq!(test.sink.lines().len(), expected.len(), "it is logged once");
}

#[test]
fn availability_is_logged_as_the_policy_allows() {
    let test = Fixture::new(Some(1 << 20));
    test.fallback.log_unavailable("it failed");
    test.fallback.log_available();
    let lines = test.sink.lines();
    let unavailable = format!("Sentry unavailable; spooling events to {}", test.dir.path().display());
    assert_eq!((lines[0].0, &lines[0].1, &lines[0].2["reason"]), (Level::Warning, &unavailable, &json!("it failed")));
    assert_eq!((lines[1].0, lines[1].1.as_str()), (Level::Info, "Sentry available again"));

    let test = Fixture::with_policy(Some(1 << 20), Policy { level: Level::Warning, ..policy() });
    test.fallback.log_unavailable("it failed");
    test.fallback.log_available();
    assert_eq!(test.sink.messages().len(), 1);

    let test = Fixture::new(None);
    test.fallback.log_unavailable("it failed");
    assert_eq!(test.sink.messages(), [""; 0], "without a spool the events show it");
}

#[test]
fn anything_but_an_event_is_dropped_and_counted() {
    let test = Fixture::new(Some(1 << 20));
    let queued = queued(&transaction("GET /"));
    let refused = Undelivered::Refused("400".into());
    let limited = [Undelivered::Limited("429".into()), Undelivered::HeldBack];
    let outage = [failed(), Undelivered::QueueFull, Undelivered::Stopped];
    for why in [refused].iter().chain(&limited).chain(&outage) {
        test.fallback.undelivered(&queued, why);
    }
    assert_eq!((test.dir.files().len(), test.sink.lines().len()), (0, 0), "nothing is spooled, nothing logged at once");
    test.spool("one");
    test.clock.advance(Duration::from_secs(1));
    assert!(test.fallback.losses_due().is_some_and(|due| due <= test.clock.now()));
    test.fallback.report_losses();
    let expected = [
        "dropped 1 envelopes for Sentry (transaction): Sentry unavailable",
        "dropped 2 envelopes for Sentry (transaction): rate limited by Sentry",
        "dropped 1 envelopes for Sentry (transaction): refused by Sentry",
        "dropped 1 envelopes for Sentry (transaction): service stopped before delivery",
        "dropped 1 envelopes for Sentry (transaction): transport queue full or closed",
    ];
    assert_eq!(test.sink.messages(), expected);
    let counts = &test.fallback.counts;
    assert_eq!((counts.limited.get(), counts.refused.get(), counts.spooled.get()), (2, 1, 1));
    counts.add_sent(Category::Event);
    counts.add_sent(Category::Log);
    test.fallback.drop_item("attachment", &transaction("GET /"));
    let counts = test.fallback.sink_counts();
    let of = |kind: &str| {
        let record = counts.records.iter().find(|record| record.kind == kind).expect("every kind is counted");
        [record.written, record.dropped]
    };
    assert_eq!([of("transaction"), of("event"), of("log_item"), of("attachment")], [[0, 6], [1, 0], [1, 0], [0, 1]]);
    let deliveries = counts.deliveries.expect("they are counted");
    assert_eq!((deliveries.sent, deliveries.limited, deliveries.refused, deliveries.spooled), (2, 2, 1, 1));
    assert_eq!(deliveries.spool_bytes, size("one"));
    assert!(deliveries.spool_oldest.is_some());
}
