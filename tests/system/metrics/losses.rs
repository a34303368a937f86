//! The counts of lost records are those that the log reports.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::load::Load;
use system_tests::peers::openmetrics::{self, Metrics};
use system_tests::service::Running;
use system_tests::{ports, wait};

use super::scrape;
use crate::supervised::Supervised;
use crate::support::{of_kind, probe, run};

const KINDS: [&str; 7] = ["line", "response", "breadcrumb", "exception", "message", "uncaught", "service"];
const LIMIT: Duration = Duration::from_secs(30);

fn records_total(metrics: &Metrics, sink: &str, outcome: &str, kind: &str) -> u64 {
    metrics.sum("log_records_total", &[("sink", sink), ("outcome", outcome), ("kind", kind)]) as u64
}

/// The sum of a kind in the records of loss whose message begins so.
fn reported(records: &[Value], message: &str, kind: &str) -> u64 {
    let losses = of_kind(records, "service").into_iter();
    let losses = losses.filter(|record| record["message"].as_str().is_some_and(|text| text.starts_with(message)));
    losses.filter_map(|record| record["dropped"][kind].as_u64()).sum()
}

#[test]
fn the_counts_under_a_stalled_stderr_are_those_of_the_records() {
    let supervised = Supervised::start(&[("APP__LOG__STDERR__QUEUE_BYTES", "262144")]);
    let management = supervised.child.management();
    let script = json!({
        "steps": [{"do": "log", "level": "warning", "message": "w".repeat(400)}],
        "finish": {"respond": {"status": 200, "content_type": "text/plain", "body": "x".repeat(2000)}},
    });
    supervised.supervisor.signal("STOP");
    let load = Load::start(supervised.child.port(), 2, Duration::ZERO, &script);
    let during = wait::until("both kinds to be dropped", LIMIT, || {
        let metrics = openmetrics::scrape(management);
        let is_dropped = |kind| records_total(&metrics, "stderr", "dropped", kind) > 0;
        (is_dropped("line") && is_dropped("response")).then_some(metrics)
    });
    let queued = during.sum("log_queue_bytes", &[("sink", "stderr")]);
    assert!((150_000.0..=262_144.0).contains(&queued), "{queued} bytes wait");
    assert!(during.sum("log_queue_records", &[("sink", "stderr")]) > 50.0);
    let answered = load.stop().completed() as u64;
    supervised.supervisor.signal("CONT");
    let after = wait::until("the queue to be written", LIMIT, || {
        let metrics = openmetrics::scrape(management);
        (metrics.sum("log_queue_records", &[("sink", "stderr")]) == 0.0).then_some(metrics)
    });
    let records = supervised.stop();
    for kind in KINDS {
        let dropped = records_total(&after, "stderr", "dropped", kind);
        assert_eq!(dropped, reported(&records, "dropped", kind), "{kind}");
        // The records of the stop follow the last metrics.
        let written = of_kind(&records, kind).len() as u64;
        let counted = records_total(&after, "stderr", "written", kind);
        assert!(counted == written || kind == "service" && counted < written, "{kind}: {counted} of {written}");
    }
    let requests = after.sum("http_server_request_duration_seconds_count", &[("http_route", "/probe/run")]) as u64;
    assert!((answered..=answered + 2).contains(&requests), "{requests} counted, {answered} answered");
    let responses = ["written", "dropped"].map(|outcome| records_total(&after, "stderr", outcome, "response"));
    assert_eq!(responses.iter().sum::<u64>(), requests);
}

/// A service whose Sentry does not exist.
fn without_sentry(settings: &[(&str, &str)]) -> Running {
    let dsn = format!("http://0123456789abcdef0123456789abcdef@127.0.0.1:{}/1", ports::free());
    settings.iter().fold(probe().env("SENTRY_DSN", dsn), |service, (key, value)| service.env(key, *value)).start()
}

fn capture(service: &Running, count: usize) {
    for _ in 0..count {
        let steps = json!([{"do": "capture_event", "message": "captured", "level": "warning"}]);
        assert_eq!(run(service.client(), steps, Value::Null).status, 204);
    }
}

#[test]
fn the_counts_under_a_dead_sentry_are_those_of_the_records_and_the_spool() {
    const COUNT: usize = 60;
    let service = without_sentry(&[("APP__SENTRY__SPOOL_DIR", "spool"), ("APP__SENTRY__SPOOL_MAX_BYTES", "20000")]);
    capture(&service, COUNT);
    let metrics = wait::until("all events to be spooled", LIMIT, || {
        let metrics = scrape(&service);
        (metrics.sum("log_queue_records", &[("sink", "sentry")]) == 0.0
            && metrics.sum("sentry_events_total", &[("outcome", "spooled")]) == COUNT as f64)
            .then_some(metrics)
    });
    for outcome in ["sent", "refused", "limited"] {
        assert_eq!(metrics.sum("sentry_events_total", &[("outcome", outcome)]), 0.0, "{outcome}");
    }
    let files: Vec<_> = std::fs::read_dir(service.scratch().join("spool")).expect("it exists").flatten().collect();
    let bytes: u64 = files.iter().map(|file| file.metadata().expect("it exists").len()).sum();
    assert_eq!(metrics.sum("sentry_spool_bytes", &[]), bytes as f64);
    let age = metrics.sum("sentry_spool_oldest_age_seconds", &[]);
    assert!(age > 0.0 && age < LIMIT.as_secs_f64(), "{age} s");
    let dropped = records_total(&metrics, "sentry", "dropped", "event");
    assert_eq!(dropped as usize + files.len(), COUNT);
    let records = service.stop().records();
    assert!(dropped > 0);
    assert_eq!(reported(&records, "dropped", "event"), dropped);
}

#[test]
fn refused_events_are_those_written_to_stderr() {
    let service = without_sentry(&[]);
    capture(&service, 20);
    let refused = || scrape(&service).sum("sentry_events_total", &[("outcome", "refused")]);
    wait::until("the events to be refused", LIMIT, || (refused() == 20.0).then_some(()));
    let records = service.stop().records();
    let written = of_kind(&records, "service").iter().filter(|record| record.get("event").is_some()).count();
    assert_eq!(written, 20);
}

#[test]
fn suppressed_records_are_those_that_the_flood_limit_reports() {
    let service = without_sentry(&[("APP__LOG__FLOOD__LIMIT", "3"), ("APP__SENTRY__SPOOL_DIR", "spool")]);
    for _ in 0..10 {
        assert_eq!(run(service.client(), json!([]), json!({"error": "failed"})).status, 500);
    }
    let metrics = scrape(&service);
    let records = service.stop().records();
    for kind in KINDS {
        let suppressed = records_total(&metrics, "stderr", "suppressed", kind);
        assert_eq!(suppressed, reported(&records, "suppressed", kind), "{kind}");
    }
    assert_eq!(records_total(&metrics, "stderr", "suppressed", "uncaught"), 7);
    assert_eq!(records_total(&metrics, "sentry", "suppressed", "event"), 7);
}
