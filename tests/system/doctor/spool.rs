//! The spool, and what a start says about it.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use system_tests::peers::bad_sentry::{BadSentry, Behaviour};
use system_tests::scratch;

use super::Setup;

const FULL: &str = "503 Service Unavailable";

fn setup(sentry: &BadSentry) -> Setup {
    let setup = Setup::new().env("SENTRY_DSN", sentry.dsn());
    let spool = setup.scratch().join("spool");
    setup.env("APP__SENTRY__SPOOL_DIR", spool).env("APP__SENTRY__SPOOL_MAX_BYTES", "100000")
}

#[test]
fn rights_age_size_and_quarantine_are_checked() {
    let sentry = BadSentry::start(Behaviour::Respond(FULL));
    let setup = setup(&sentry);
    let spool = setup.scratch().join("spool");
    setup.doctor().has("spool", "OK", &["does not exist yet"]);
    assert!(!spool.exists());

    scratch::make_dir(&spool);
    setup.doctor().has("spool", "OK", &["is empty"]);
    let event = spool.join("1700000000000000-0000000001-00000001.event.envelope");
    scratch::write(&event, "x".repeat(1000));
    setup.doctor().has("spool", "OK", &["has 1 events (1000 bytes of 97.7 KiB)"]);
    let old = SystemTime::now() - Duration::from_secs(7300);
    File::options().append(true).open(&event).and_then(|file| file.set_modified(old)).expect("the test owns the file");
    setup.doctor().has("spool", "WARN", &["the oldest from 2 h ago"]);
    scratch::write(&event, "x".repeat(90_000));
    setup.doctor().has("spool", "WARN", &["nearly full"]);
    fs::remove_file(&event).expect("the test owns the file");
    scratch::make_dir(&spool.join("quarantine"));
    scratch::write(&spool.join("quarantine/damaged"), "x");
    setup.doctor().has("spool", "WARN", &["1 damaged files"]);
}

#[test]
fn a_spool_that_cannot_be_used_is_a_failure_and_a_warning_at_start() {
    let sentry = BadSentry::start(Behaviour::Respond(FULL));
    let setup = setup(&sentry);
    scratch::write(&setup.scratch().join("spool"), "a file");
    setup.doctor().has("spool", "FAIL", &["is not a directory"]);
    let service = setup.start();
    let warning = service.wait_record("the warning of the start", |record| {
        record["kind"] == "service" && record["message"].as_str().is_some_and(|it| it.contains("is not a directory"))
    });
    assert_eq!(warning["level"], "warning");
    assert!(
        warning["message"].as_str().is_some_and(|it| it.ends_with("set sentry.spool_dir to a directory")),
        "{warning}"
    );
    setup.doctor().has("spool", "FAIL", &["is not a directory"]);
}

#[test]
fn without_a_spool_events_go_to_stderr() {
    let sentry = BadSentry::start(Behaviour::Respond(FULL));
    Setup::new().env("SENTRY_DSN", sentry.dsn()).doctor().has("spool", "WARN", &["none"]);
    Setup::new().doctor().has("spool", "OK", &["not needed"]);
}
