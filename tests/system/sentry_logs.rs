//! Sentry's Logs: the log lines of the destination table, with `sentry.logs`.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::peers::recording_sentry::RecordingSentry;
use system_tests::service::Running;
use system_tests::wait;

use crate::support::{probe, run};

const LIMIT: Duration = Duration::from_secs(20);

const LEVELS: [&str; 6] = ["trace", "debug", "info", "warning", "error", "critical"];

/// Logs a line of each level, among other records.
fn log_lines(service: &Running) {
    let mut steps: Vec<Value> = Vec::new();
    for level in LEVELS {
        steps.push(json!({"do": "log", "level": level, "message": format!("line-{level} password=hunter2")}));
    }
    steps.push(json!({"do": "breadcrumb", "message": "a breadcrumb"}));
    steps.push(json!({"do": "capture_event", "message": "an event"}));
    run(service.client(), json!(steps), Value::Null);
}

/// The lines of the probe that arrived at a service with these settings, by its stop.
fn logs(settings: &[(&str, &str)]) -> Vec<Value> {
    let sentry = RecordingSentry::start(|_| "200 OK");
    let mut service = probe().env("SENTRY_DSN", sentry.dsn());
    for (name, value) in settings {
        service = service.env(name, *value);
    }
    let service = service.start();
    log_lines(&service);
    service.stop();
    lines(&sentry)
}

fn lines(sentry: &RecordingSentry) -> Vec<Value> {
    let batches = sentry.payloads("log").into_iter();
    let lines = batches.flat_map(|batch| batch["items"].as_array().cloned().unwrap_or_default());
    // Libraries and the service log lines, too.
    lines.filter(|line| line["body"].as_str().is_some_and(|body| body.starts_with("line-"))).collect()
}

fn levels(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["level"].as_str().unwrap_or("?")).collect()
}

#[test]
fn log_lines_from_the_log_level_up_arrive_redacted() {
    let on = ("APP__SENTRY__LOGS", "true");
    let sent = logs(&[on, ("SENTRY_ENVIRONMENT", "stage")]);
    assert_eq!(levels(&sent), ["info", "warn", "error", "fatal"]);
    assert!(!json!(sent).to_string().contains("hunter2"), "{sent:?}");
    for line in &sent {
        let attribute = |key: &str| line["attributes"][key]["value"].as_str().unwrap_or_default();
        assert!(attribute("target").starts_with("system_tests") && !attribute("request_id").is_empty(), "{line}");
        assert_eq!((attribute("blueprint"), attribute("sentry.environment")), ("probe", "stage"), "{line}");
        assert_eq!((&line["trace_id"], line["timestamp"].is_f64()), (&sent[0]["trace_id"], true), "{line}");
    }
    let warning = [on, ("APP__LOG__LEVEL", "warning"), ("APP__LOG__MODE", "sentry")];
    assert_eq!(levels(&logs(&warning)), ["warn", "error", "fatal"]);
    assert_eq!(levels(&logs(&[on, ("APP__LOG__MODE", "stderr")])), [""; 0]);
}

#[test]
fn no_line_is_sent_by_default() {
    assert_eq!(logs(&[]), [Value::Null; 0]);
}

#[test]
fn lines_arrive_while_the_service_runs() {
    let sentry = RecordingSentry::start(|_| "200 OK");
    let service = probe().env("SENTRY_DSN", sentry.dsn()).env("APP__SENTRY__LOGS", "true").start();
    log_lines(&service);
    wait::until("the lines", LIMIT, || (lines(&sentry).len() == 4).then_some(()));
    service.stop();
}
