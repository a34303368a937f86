//! Sentry is down, slow, over its quota, or returns errors.

use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::load::Load;
use system_tests::peers::bad_sentry::{BadSentry, Behaviour};
use system_tests::peers::bugsink::Bugsink;
use system_tests::peers::proxy::Proxy;
use system_tests::service::{Running, Service, Stopped};
use system_tests::{figures, ports};

use super::{MAX_STOP_TIME, PAUSE, report_load};
use crate::support::{event_message, of_kind, probe, run};

pub fn with_spool(dsn: &str) -> Service {
    probe().env("SENTRY_DSN", dsn).env("APP__SENTRY__SPOOL_DIR", "spool")
}

/// A script that captures one event; the flood limit does not apply to those.
pub fn capture() -> Value {
    json!({"steps": [{"do": "capture_event", "message": "captured", "level": "warning"}]})
}

/// The number of envelopes in the spool.
pub fn spooled(service: &Running) -> usize {
    let files = fs::read_dir(service.scratch().join("spool")).into_iter().flatten().flatten();
    files.filter(|file| file.path().extension().is_some_and(|it| it == "envelope")).count()
}

/// The number of full events on stderr.
pub fn written_to_stderr(records: &[Value]) -> usize {
    of_kind(records, "service").iter().filter(|record| record.get("event").is_some()).count()
}

/// Stops the service within the limit; returns its output and the number of spooled envelopes.
#[track_caller]
fn stop(service: Running) -> (Stopped, usize) {
    let mut service = service;
    let began = Instant::now();
    service.signal("TERM");
    assert_eq!(service.wait_exit(MAX_STOP_TIME).code(), Some(0));
    figures::print(&format!("shutdown took {:.1} s", began.elapsed().as_secs_f64()));
    let waiting = spooled(&service);
    (service.stop(), waiting)
}

/// The event ids in the service's records, in order.
fn logged_ids(records: &[Value]) -> Vec<String> {
    let messages = of_kind(records, "message").into_iter();
    messages.filter_map(|record| record["sentry.event_id"].as_str().map(str::to_owned)).collect()
}

fn ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["event_id"].as_str().unwrap_or_default().replace('-', "")).collect()
}

#[test]
fn every_event_is_accounted_for_whatever_sentry_does() {
    for (behaviour, is_spooled) in [
        (Behaviour::Hang, true),
        (Behaviour::Drip, true),
        (Behaviour::Garbage, true),
        (Behaviour::Respond("429 Too Many Requests\r\nretry-after: 30"), true),
        (Behaviour::Respond("429 Too Many Requests\r\nx-sentry-rate-limits: 60:error:organization"), true),
        (Behaviour::Respond("500 Internal Server Error"), true),
        (Behaviour::Respond("400 Bad Request"), false),
        (Behaviour::Respond("403 Forbidden"), false),
        (Behaviour::Respond("413 Payload Too Large"), false),
    ] {
        let sentry = BadSentry::start(behaviour);
        let service = with_spool(&sentry.dsn()).start();
        let load = Load::start(service.port, 2, PAUSE * 2, &capture());
        sleep(Duration::from_millis(1500));
        let stats = load.stop();
        report_load(&format!("{behaviour:?}"), &stats);
        let (stopped, waiting) = stop(service);
        let records = stopped.records();
        let (answered, written) = (stats.completed(), written_to_stderr(&records));
        figures::print(&format!("{answered} events = {waiting} in the spool + {written} on stderr"));
        assert_eq!(waiting + written, answered, "{behaviour:?}");
        // Rejected events are written to stderr; events without a response at shutdown are spooled.
        assert!(if is_spooled { waiting > 0 && written == 0 } else { written > 0 }, "{behaviour:?}");
        assert!(sentry.connections() > 0);
        if has_retry_after(behaviour) {
            assert_eq!(sentry.connections(), 1, "no request within the Retry-After time");
        }
    }
}

fn has_retry_after(behaviour: Behaviour) -> bool {
    matches!(behaviour, Behaviour::Respond(status) if status.starts_with("429"))
}

#[test]
fn spooled_events_arrive_when_sentry_recovers() {
    let mut bugsink = Bugsink::start_own("BUGSINK[\"MAX_EVENTS_PER_PROJECT_PER_5_MINUTES\"] = 100000");
    let project = bugsink.project();
    bugsink.stop();
    let service = with_spool(&project.dsn).start();
    for _ in 0..20 {
        service.post("/probe/run").json(&capture()).send();
    }
    service.wait_record("the outage to be reported", |record| {
        record["message"].as_str().is_some_and(|it| it.starts_with("Sentry unavailable; spooling events to "))
    });
    bugsink.restart();
    assert_eq!(
        ids(&project.wait_events(20, Duration::from_secs(60))),
        logged_ids(&service.records()),
        "in order and exactly once"
    );

    let load = Load::start(service.port, 2, PAUSE * 5, &capture());
    sleep(Duration::from_millis(500));
    bugsink.stop();
    sleep(Duration::from_secs(2));
    report_load("Sentry down under load", &load.take_stats());
    bugsink.restart();
    sleep(Duration::from_secs(1));
    report_load("Sentry up again under load", &load.stop());
    let logged: BTreeSet<String> = logged_ids(&service.records()).into_iter().collect();
    let began = Instant::now();
    let arrived: BTreeSet<String> =
        ids(&project.wait_events(logged.len(), Duration::from_secs(120))).into_iter().collect();
    figures::print(&format!(
        "{} events, all delivered {:.1} s after Sentry recovered",
        arrived.len(),
        began.elapsed().as_secs_f64()
    ));
    assert_eq!(arrived, logged);
    assert_eq!(written_to_stderr(&service.stop().records()), 0);
}

#[test]
fn a_proxy_from_the_environment_is_used() {
    let bugsink = Bugsink::start_own("");
    let project = bugsink.project();
    let proxy = Proxy::start(bugsink.port());
    // The server is reachable only through the proxy.
    let dsn = format!("http://{}@127.0.0.1:{}/{}", project.key, ports::free(), project.id);
    let service = with_spool(&dsn).env("HTTP_PROXY", proxy.url()).start();
    service.post("/probe/run").json(&capture()).send();
    assert_eq!(project.wait_events(1, Duration::from_secs(20)).len(), 1);
    assert!(proxy.connections() > 0);
}

#[test]
fn a_quota_response_pauses_sending() {
    let bugsink = Bugsink::start_own("BUGSINK[\"MAX_EVENTS_PER_PROJECT_PER_5_MINUTES\"] = 5");
    let project = bugsink.project();
    let service = with_spool(&project.dsn).start();
    for _ in 0..20 {
        service.post("/probe/run").json(&capture()).send();
    }
    let (stopped, waiting) = stop(service);
    assert_eq!(project.events().len() + waiting, 20, "{}", stopped.stderr);
    assert!(waiting > 0 && written_to_stderr(&stopped.records()) == 0);
}

#[test]
fn a_thousand_failures_in_a_burst_all_arrive() {
    const COUNT: usize = 1000;
    let bugsink = Bugsink::start_own("BUGSINK[\"MAX_EVENTS_PER_PROJECT_PER_5_MINUTES\"] = 100000");
    let project = bugsink.project();
    // They differ only in a number, so they are one failure.
    let service = with_spool(&project.dsn).env("APP__LOG__FLOOD__LIMIT", "2000").start();
    let began = Instant::now();
    for tens in 0..COUNT / 100 {
        let step = |n: usize| json!({"do": "capture_exception", "message": format!("failure {}", tens * 100 + n)});
        run(service.client(), (0..100).map(step).collect(), Value::Null);
    }
    let captured = began.elapsed();
    let events = project.wait_events(COUNT, Duration::from_secs(180));
    figures::print(&format!(
        "{COUNT} failures captured in {:.2} s, all delivered after {:.1} s",
        captured.as_secs_f64(),
        began.elapsed().as_secs_f64()
    ));
    let messages: BTreeSet<String> = events.iter().map(event_message).collect();
    assert_eq!((events.len(), messages.len()), (COUNT, COUNT));
    assert_eq!(written_to_stderr(&service.stop().records()), 0);
}
