//! Sentry limits what it accepts.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::peers::recording_sentry::{Envelope, RecordingSentry};
use system_tests::{figures, wait};

use super::dropped;
use super::sentry::{spooled, with_spool, written_to_stderr};
use crate::support::{event_message, run};

/// Limits transactions only.
fn limits_transactions(envelope: &Envelope) -> &'static str {
    if envelope.has("transaction") {
        "429 Too Many Requests\r\nX-Sentry-Rate-Limits: 5:transaction:organization:x"
    } else {
        "200 OK"
    }
}

#[test]
fn a_limit_of_transactions_delays_no_error() {
    const COUNT: usize = 151;
    let sentry = RecordingSentry::start(limits_transactions);
    let service = with_spool(&sentry.dsn())
        .env("APP__SENTRY__TRACES_SAMPLE_RATE", "1")
        .env("APP__LOG__FLOOD__LIMIT", "2000")
        .start();
    let began = Instant::now();
    let fail = |n: usize| {
        run(service.client(), json!([{"do": "capture_exception", "message": format!("failure {n}")}]), Value::Null);
    };
    (1..COUNT).for_each(fail);
    let captured = began.elapsed();
    wait::until("all errors to arrive", Duration::from_secs(20), || {
        (sentry.payloads("event").len() >= COUNT - 1).then_some(())
    });
    figures::print(&format!(
        "{} errors captured in {:.1} s, all delivered after {:.1} s",
        COUNT - 1,
        captured.as_secs_f64(),
        began.elapsed().as_secs_f64()
    ));
    // The client report of what was discarded until now is in the envelope of the next event.
    fail(COUNT);
    wait::until("the client report", Duration::from_secs(20), || {
        (discarded(&sentry, "ratelimit_backoff", "transaction") > 0).then_some(())
    });
    assert_eq!(spooled(&service), 0, "neither errors nor transactions are spooled");
    let records = service.stop().records();
    let messages: BTreeSet<String> = sentry.payloads("event").iter().map(event_message).collect();
    assert_eq!((sentry.payloads("event").len(), messages.len()), (COUNT, COUNT));
    assert_eq!(written_to_stderr(&records), 0);
    let sent = sentry.payloads("transaction").len() as u64;
    assert!(sent < 10, "only the first of each five seconds is tried, not {sent}");
    assert_eq!(dropped(&records, "transaction"), COUNT as u64, "each limited transaction is counted");
    // Sentry itself counts what it refused; the others are in the client reports, but for those after the last envelope.
    let reported: u64 = discarded(&sentry, "ratelimit_backoff", "transaction");
    assert!(reported > 0 && reported + sent <= COUNT as u64, "{reported} of {COUNT}");
}

/// The number of discarded items of a category in the client reports.
fn discarded(sentry: &RecordingSentry, reason: &str, category: &str) -> u64 {
    let reports = sentry.payloads("client_report").into_iter();
    let entries = reports.flat_map(|report| report["discarded_events"].as_array().cloned().unwrap_or_default());
    let matching = entries.filter(|entry| entry["reason"] == reason && entry["category"] == category);
    matching.filter_map(|entry| entry["quantity"].as_u64()).sum()
}

/// Accepts everything.
fn accepts(_: &Envelope) -> &'static str {
    "200 OK"
}

#[test]
fn sampled_events_are_in_the_next_client_report() {
    let sentry = RecordingSentry::start(accepts);
    let service = with_spool(&sentry.dsn())
        .env("APP__SENTRY__SAMPLE_RATE", "0")
        .env("APP__SENTRY__TRACES_SAMPLE_RATE", "1")
        .start();
    run(service.client(), json!([{"do": "capture_event", "message": "sampled out"}]), Value::Null);
    wait::until("the report with the transaction", Duration::from_secs(20), || {
        (discarded(&sentry, "sample_rate", "error") == 1).then_some(())
    });
    assert_eq!(sentry.payloads("event").len(), 0);
}
