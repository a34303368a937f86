//! The spool is full, corrupt, not writable, or left by another process.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::peers::bad_sentry::{BadSentry, Behaviour};
use system_tests::peers::bugsink::Bugsink;
use system_tests::scratch::{self, Scratch};
use system_tests::service::{Running, Service};
use system_tests::{figures, ports, wait};

use super::dropped;
use super::sentry::{capture, spooled, written_to_stderr};
use crate::support::probe;

/// A service whose Sentry is unreachable.
fn without_sentry(spool: &str) -> Service {
    let dsn = format!("http://0123456789abcdef0123456789abcdef@127.0.0.1:{}/1", ports::free());
    probe().env("SENTRY_DSN", dsn).env("APP__SENTRY__SPOOL_DIR", spool)
}

fn capture_many(service: &Running, count: usize) {
    for _ in 0..count {
        assert_eq!(service.post("/probe/run").json(&capture()).send().status, 204);
    }
}

fn any_message_contains(records: &[Value], part: &str) -> bool {
    records.iter().any(|record| record["message"].as_str().is_some_and(|message| message.contains(part)))
}

#[test]
fn the_next_process_sends_spooled_events() {
    const COUNT: usize = 200;
    let scratch = Scratch::new("spool");
    let spool = scratch.join("spool");
    let spool = spool.to_str().expect("a path in UTF-8");
    let first = without_sentry(spool).start();
    capture_many(&first, COUNT);
    assert_eq!(written_to_stderr(&first.stop().records()), 0);

    let bugsink = Bugsink::start_own("BUGSINK[\"MAX_EVENTS_PER_PROJECT_PER_5_MINUTES\"] = 100000");
    let project = bugsink.project();
    // Two processes at once: each event is sent by one of them.
    let next = || probe().env("SENTRY_DSN", &project.dsn).env("APP__SENTRY__SPOOL_DIR", spool).start();
    let (one, other) = (next(), next());
    let events = project.wait_events(COUNT, Duration::from_secs(60));
    assert_eq!(events.len(), COUNT);
    for service in [one, other] {
        let records = service.stop().records();
        assert_eq!((written_to_stderr(&records), dropped(&records, "event")), (0, 0));
    }
    let remaining = fs::read_dir(spool).expect("it exists").count();
    assert_eq!(remaining, 0, "sent events are removed");
}

#[test]
fn a_full_spool_evicts_and_counts_the_oldest_events() {
    const COUNT: usize = 60;
    let service = without_sentry("spool").env("APP__SENTRY__SPOOL_MAX_BYTES", "20000").start();
    capture_many(&service, COUNT);
    let dir = service.scratch().join("spool");
    service.signal("TERM");
    let mut service = service;
    service.wait_exit(super::MAX_STOP_TIME);
    let bytes: u64 =
        fs::read_dir(&dir).expect("it exists").flatten().filter_map(|it| Some(it.metadata().ok()?.len())).sum();
    let waiting = spooled(&service) as u64;
    let records = service.stop().records();
    let counted = dropped(&records, "event");
    figures::print(&format!(
        "spool of 20000 bytes: {COUNT} events = {waiting} stored ({bytes} bytes) + {counted} evicted"
    ));
    assert_eq!(waiting + counted + written_to_stderr(&records) as u64, COUNT as u64);
    assert!(bytes <= 20_000 && counted > 0 && waiting > 0);
}

#[test]
fn an_unwritable_spool_sends_events_to_stderr() {
    let scratch = Scratch::new("spool");
    scratch::write(&scratch.join("file"), "no directory");
    let below_a_file = scratch.join("file").join("spool");
    // No user can create files below /proc.
    for spool in [below_a_file.to_str().expect("a path in UTF-8"), "/proc/spool"] {
        let service = without_sentry(spool).start();
        capture_many(&service, 20);
        let records = service.stop().records();
        assert_eq!(written_to_stderr(&records), 20, "{spool}");
        assert!(any_message_contains(&records, "spooling failed"), "{spool}");
    }
}

#[test]
fn one_failing_event_does_not_block_the_others() {
    let sentry = BadSentry::start(Behaviour::FailsAbove(20_000));
    let service = probe().env("SENTRY_DSN", sentry.dsn()).env("APP__SENTRY__SPOOL_DIR", "spool").start();
    let send = |message: &str| {
        let step = json!({"do": "capture_event", "message": message});
        service.post("/probe/run").json(&json!({"steps": [step]})).send();
    };
    // Large even when compressed.
    send(&(0..20_000).map(|n| format!("{n} ")).collect::<String>());
    wait::until("the event to be spooled", Duration::from_secs(20), || (spooled(&service) == 1).then_some(()));
    for _ in 0..10 {
        send("good");
    }
    // They wait behind the failing event until it is skipped.
    wait::until("the others to be sent", Duration::from_secs(60), || (spooled(&service) == 1).then_some(()));
    assert_eq!(written_to_stderr(&service.stop().records()), 0);
}

#[test]
fn invalid_spool_files_are_quarantined() {
    let scratch = Scratch::new("spool");
    let spool = scratch.join("spool");
    let path = spool.to_str().expect("a path in UTF-8").to_owned();
    let first = without_sentry(&path).start();
    capture_many(&first, 3);
    first.stop();
    let files: Vec<_> = fs::read_dir(&spool).expect("it exists").flatten().map(|file| file.path()).collect();
    assert_eq!(files.len(), 3);
    let complete = fs::read(&files[0]).expect("is readable");
    fs::write(&files[0], &complete[..complete.len() / 2]).expect("it can be truncated");
    scratch::write(&spool.join("notes.txt"), "unrelated");
    scratch::write(&spool.join("0-0-0.event.envelope"), b"\0\xff\n\n");

    let project = Bugsink::shared().project();
    let service = probe().env("SENTRY_DSN", &project.dsn).env("APP__SENTRY__SPOOL_DIR", &path).start();
    project.wait_events(2, Duration::from_secs(30));
    // The truncated file may be the last one.
    let quarantined = || fs::read_dir(spool.join("quarantine")).into_iter().flatten().count();
    wait::until("all three to be quarantined", Duration::from_secs(30), || (quarantined() == 3).then_some(()));
    let records = service.stop().records();
    assert_eq!(
        records
            .iter()
            .filter(|it| it["message"].as_str().is_some_and(|it| it.starts_with("quarantined invalid spool file ")))
            .count(),
        3
    );
    assert_eq!(project.events().len(), 2);
    assert_eq!(quarantined(), 3, "they remain for inspection");
}
