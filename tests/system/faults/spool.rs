//! The spool is full, corrupt, not to be written, or another process's.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::peers::bad_sentry::{BadSentry, Manner};
use system_tests::peers::bugsink::Bugsink;
use system_tests::scratch::{self, Scratch};
use system_tests::service::{Running, Service};
use system_tests::{figures, ports, wait};

use super::dropped;
use super::sentry::{capture, in_full, spooled};
use crate::support::probe;

/// A service whose Sentry is not there.
fn cut_off(spool: &str) -> Service {
    let dsn = format!("http://0123456789abcdef0123456789abcdef@127.0.0.1:{}/1", ports::free());
    probe().env("SENTRY_DSN", dsn).env("APP__SENTRY__SPOOL_DIR", spool)
}

fn capture_many(service: &Running, count: usize) {
    for _ in 0..count {
        assert_eq!(service.post("/probe/run").json(&capture()).send().status, 204);
    }
}

fn says(records: &[Value], part: &str) -> bool {
    records.iter().any(|record| record["message"].as_str().is_some_and(|message| message.contains(part)))
}

#[test]
fn what_one_process_left_the_next_one_sends() {
    const ALL: usize = 200;
    let scratch = Scratch::new("spool");
    let spool = scratch.join("spool");
    let spool = spool.to_str().expect("a path in UTF-8");
    let first = cut_off(spool).start();
    capture_many(&first, ALL);
    assert_eq!(in_full(&first.stop().records()), 0);

    let bugsink = Bugsink::start_own("BUGSINK[\"MAX_EVENTS_PER_PROJECT_PER_5_MINUTES\"] = 100000");
    let project = bugsink.project();
    // Two at once: what one is sending the other leaves alone.
    let next = || probe().env("SENTRY_DSN", &project.dsn).env("APP__SENTRY__SPOOL_DIR", spool).start();
    let (one, other) = (next(), next());
    let events = project.wait_events(ALL, Duration::from_secs(60));
    assert_eq!(events.len(), ALL);
    for service in [one, other] {
        let records = service.stop().records();
        assert_eq!((in_full(&records), dropped(&records, "event")), (0, 0));
    }
    let left = fs::read_dir(spool).expect("is there").count();
    assert_eq!(left, 0, "what was sent is gone");
}

#[test]
fn the_oldest_make_room_and_are_counted() {
    const ALL: usize = 60;
    let service = cut_off("spool").env("APP__SENTRY__SPOOL_MAX_BYTES", "20000").start();
    capture_many(&service, ALL);
    let dir = service.scratch().join("spool");
    service.signal("TERM");
    let mut service = service;
    service.wait_exit(super::STOP);
    let bytes: u64 =
        fs::read_dir(&dir).expect("is there").flatten().filter_map(|it| Some(it.metadata().ok()?.len())).sum();
    let waiting = spooled(&service) as u64;
    let records = service.stop().records();
    let counted = dropped(&records, "event");
    figures::print(&format!(
        "a spool of 20000 bytes: {ALL} events = {waiting} kept ({bytes} bytes) + {counted} counted"
    ));
    assert_eq!(waiting + counted + in_full(&records) as u64, ALL as u64);
    assert!(bytes <= 20_000 && counted > 0 && waiting > 0);
}

#[test]
fn one_that_cannot_be_written_is_no_silence() {
    let scratch = Scratch::new("spool");
    scratch::write(&scratch.join("file"), "no directory");
    let below_a_file = scratch.join("file").join("spool");
    // Nobody may write below /proc, whoever they are.
    for spool in [below_a_file.to_str().expect("a path in UTF-8"), "/proc/spool"] {
        let service = cut_off(spool).start();
        capture_many(&service, 20);
        let records = service.stop().records();
        assert_eq!(in_full(&records), 20, "{spool}");
        assert!(says(&records, "spooling failed"), "{spool}");
    }
}

#[test]
fn one_event_that_sentry_fails_at_does_not_keep_the_others() {
    let sentry = BadSentry::start(Manner::FailsAbove(20_000));
    let service = probe().env("SENTRY_DSN", sentry.dsn()).env("APP__SENTRY__SPOOL_DIR", "spool").start();
    let say = |message: &str| {
        let step = json!({"do": "capture_event", "message": message});
        service.post("/probe/run").json(&json!({"steps": [step]})).send();
    };
    // Long, also when it is compressed.
    say(&(0..20_000).map(|n| format!("{n} ")).collect::<String>());
    wait::until("it to be kept", Duration::from_secs(20), || (spooled(&service) == 1).then_some(()));
    for _ in 0..10 {
        say("good");
    }
    // Behind the one that fails, until it is passed by.
    wait::until("the others to be sent", Duration::from_secs(60), || (spooled(&service) == 1).then_some(()));
    assert_eq!(in_full(&service.stop().records()), 0);
}

#[test]
fn what_is_no_event_is_put_aside() {
    let scratch = Scratch::new("spool");
    let spool = scratch.join("spool");
    let path = spool.to_str().expect("a path in UTF-8").to_owned();
    let first = cut_off(&path).start();
    capture_many(&first, 3);
    first.stop();
    let files: Vec<_> = fs::read_dir(&spool).expect("is there").flatten().map(|file| file.path()).collect();
    assert_eq!(files.len(), 3);
    let whole = fs::read(&files[0]).expect("is readable");
    fs::write(&files[0], &whole[..whole.len() / 2]).expect("it can be torn");
    scratch::write(&spool.join("notes.txt"), "somebody's");
    scratch::write(&spool.join("0-0-0.event.envelope"), b"\0\xff\n\n");

    let project = Bugsink::shared().project();
    let service = probe().env("SENTRY_DSN", &project.dsn).env("APP__SENTRY__SPOOL_DIR", &path).start();
    project.wait_events(2, Duration::from_secs(30));
    // The torn one may be the last of all.
    let aside = || fs::read_dir(spool.join("quarantine")).into_iter().flatten().count();
    wait::until("all three to be put aside", Duration::from_secs(30), || (aside() == 3).then_some(()));
    let records = service.stop().records();
    assert_eq!(
        records
            .iter()
            .filter(|it| it["message"].as_str().is_some_and(|it| it.starts_with("quarantined invalid spool file ")))
            .count(),
        3
    );
    assert_eq!(project.events().len(), 2);
    assert_eq!(aside(), 3, "for whoever wants to look");
}
