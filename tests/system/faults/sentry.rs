//! Sentry is down, slow, full or hostile.

use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::load::Load;
use system_tests::peers::bad_sentry::{BadSentry, Manner};
use system_tests::peers::bugsink::Bugsink;
use system_tests::peers::proxy::Proxy;
use system_tests::service::{Running, Service, Stopped};
use system_tests::{figures, ports};

use super::{PAUSE, STOP, tell};
use crate::support::{about, of_kind, probe, run};

pub fn with_spool(dsn: &str) -> Service {
    probe().env("SENTRY_DSN", dsn).env("APP__SENTRY__SPOOL_DIR", "spool")
}

/// A request that asks for one event; those are not held back by the flood limit.
pub fn capture() -> Value {
    json!({"steps": [{"do": "capture_event", "message": "captured", "level": "warning"}]})
}

/// The envelopes that wait.
pub fn spooled(service: &Running) -> usize {
    let files = fs::read_dir(service.scratch().join("spool")).into_iter().flatten().flatten();
    files.filter(|file| file.path().extension().is_some_and(|it| it == "envelope")).count()
}

/// The events that stand on stderr in full.
pub fn in_full(records: &[Value]) -> usize {
    of_kind(records, "service").iter().filter(|record| record.get("event").is_some()).count()
}

/// Stops it in time, and gives what waits in its spool then.
#[track_caller]
fn stop(service: Running) -> (Stopped, usize) {
    let mut service = service;
    let began = Instant::now();
    service.signal("TERM");
    assert_eq!(service.wait_exit(STOP).code(), Some(0));
    figures::print(&format!("the stop took {:.1} s", began.elapsed().as_secs_f64()));
    let waiting = spooled(&service);
    (service.stop(), waiting)
}

/// The ids that the service promised, in their order.
fn promised(records: &[Value]) -> Vec<String> {
    let messages = of_kind(records, "message").into_iter();
    messages.filter_map(|record| record["sentry.event_id"].as_str().map(str::to_owned)).collect()
}

fn ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["event_id"].as_str().unwrap_or_default().replace('-', "")).collect()
}

#[test]
fn whatever_it_does_requests_go_on_and_every_event_is_accounted_for() {
    for (manner, is_kept) in [
        (Manner::Hang, true),
        (Manner::Drip, true),
        (Manner::Garbage, true),
        (Manner::Answer("429 Too Many Requests\r\nretry-after: 30"), true),
        (Manner::Answer("429 Too Many Requests\r\nx-sentry-rate-limits: 60:error:organization"), true),
        (Manner::Answer("500 Internal Server Error"), true),
        (Manner::Answer("400 Bad Request"), false),
        (Manner::Answer("403 Forbidden"), false),
        (Manner::Answer("413 Payload Too Large"), false),
    ] {
        let sentry = BadSentry::start(manner);
        let service = with_spool(&sentry.dsn()).start();
        let load = Load::start(service.port, 2, PAUSE * 2, &capture());
        sleep(Duration::from_millis(1500));
        let seen = load.stop();
        tell(&format!("{manner:?}"), &seen);
        let (stopped, waiting) = stop(service);
        let records = stopped.records();
        let (answered, written) = (seen.answered(), in_full(&records));
        figures::print(&format!("{answered} events = {waiting} in the spool + {written} on stderr"));
        assert_eq!(waiting + written, answered, "{manner:?}");
        // What was refused is written; what was not refused yet when the service stopped is kept.
        assert!(if is_kept { waiting > 0 && written == 0 } else { written > 0 }, "{manner:?}");
        assert!(sentry.asked() > 0);
        if manner_says_to_wait(manner) {
            assert_eq!(sentry.asked(), 1, "it is left alone as long as it says");
        }
    }
}

fn manner_says_to_wait(manner: Manner) -> bool {
    matches!(manner, Manner::Answer(status) if status.starts_with("429"))
}

#[test]
fn what_it_missed_arrives_when_it_is_back() {
    let mut bugsink = Bugsink::start_own("BUGSINK[\"MAX_EVENTS_PER_PROJECT_PER_5_MINUTES\"] = 100000");
    let project = bugsink.project();
    bugsink.stop();
    let service = with_spool(&project.dsn).start();
    for _ in 0..20 {
        service.post("/probe/run").json(&capture()).send();
    }
    service.wait_record("the outage to be said", |record| {
        record["message"].as_str().is_some_and(|it| it.starts_with("Sentry unavailable; spooling events to "))
    });
    bugsink.restart();
    assert_eq!(
        ids(&project.wait_events(20, Duration::from_secs(60))),
        promised(&service.records()),
        "in order, each once"
    );

    let load = Load::start(service.port, 2, PAUSE * 5, &capture());
    sleep(Duration::from_millis(500));
    bugsink.stop();
    sleep(Duration::from_secs(2));
    tell("Sentry down under load", &load.seen());
    bugsink.restart();
    sleep(Duration::from_secs(1));
    tell("and back", &load.stop());
    let promised: BTreeSet<String> = promised(&service.records()).into_iter().collect();
    let began = Instant::now();
    let arrived: BTreeSet<String> =
        ids(&project.wait_events(promised.len(), Duration::from_secs(120))).into_iter().collect();
    figures::print(&format!(
        "{} events, all there {:.1} s after Sentry was back",
        arrived.len(),
        began.elapsed().as_secs_f64()
    ));
    assert_eq!(arrived, promised);
    assert_eq!(in_full(&service.stop().records()), 0);
}

#[test]
fn a_proxy_from_the_environment_is_used() {
    let bugsink = Bugsink::start_own("");
    let project = bugsink.project();
    let proxy = Proxy::start(bugsink.port());
    // Nobody is there but by way of the proxy.
    let dsn = format!("http://{}@127.0.0.1:{}/{}", project.key, ports::free(), project.id);
    let service = with_spool(&dsn).env("HTTP_PROXY", proxy.url()).start();
    service.post("/probe/run").json(&capture()).send();
    assert_eq!(project.wait_events(1, Duration::from_secs(20)).len(), 1);
    assert!(proxy.asked() > 0);
}

#[test]
fn over_its_quota_it_is_left_alone() {
    let bugsink = Bugsink::start_own("BUGSINK[\"MAX_EVENTS_PER_PROJECT_PER_5_MINUTES\"] = 5");
    let project = bugsink.project();
    let service = with_spool(&project.dsn).start();
    for _ in 0..20 {
        service.post("/probe/run").json(&capture()).send();
    }
    let (stopped, waiting) = stop(service);
    assert_eq!(project.events().len() + waiting, 20, "{}", stopped.stderr);
    assert!(waiting > 0 && in_full(&stopped.records()) == 0);
}

#[test]
fn a_thousand_failures_in_a_burst_all_arrive() {
    const ALL: usize = 1000;
    let bugsink = Bugsink::start_own("BUGSINK[\"MAX_EVENTS_PER_PROJECT_PER_5_MINUTES\"] = 100000");
    let project = bugsink.project();
    let service = with_spool(&project.dsn).start();
    let began = Instant::now();
    for tens in 0..ALL / 100 {
        let step = |n: usize| json!({"do": "capture_exception", "message": format!("failure {}", tens * 100 + n)});
        run(service.client(), (0..100).map(step).collect(), Value::Null);
    }
    let captured = began.elapsed();
    let events = project.wait_events(ALL, Duration::from_secs(180));
    figures::print(&format!(
        "{ALL} failures captured in {:.2} s, all there after {:.1} s",
        captured.as_secs_f64(),
        began.elapsed().as_secs_f64()
    ));
    let about: BTreeSet<String> = events.iter().map(about).collect();
    assert_eq!((events.len(), about.len()), (ALL, ALL));
    assert_eq!(in_full(&service.stop().records()), 0);
}
