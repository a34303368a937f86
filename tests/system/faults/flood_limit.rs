//! The flood limit: one failure that repeats quickly.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::figures;
use system_tests::load::Load;
use system_tests::peers::bugsink::Bugsink;

use super::{PAUSE, dropped, report_load};
use crate::support::{event_message, of_kind, probe_with, run};

#[test]
fn a_flood_is_counted_and_other_errors_are_reported() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).env("APP__LOG__FLOOD__WINDOW_S", "60").start();
    let load = Load::start(service.port, 2, PAUSE / 2, &json!({"finish": {"error": "the same"}}));
    sleep(Duration::from_secs(2));
    for n in 0..5 {
        run(
            service.client(),
            json!([{"do": "capture_event", "message": "a captured event"}]),
            json!({"error": format!("other {n}")}),
        );
    }
    let stats = load.stop();
    report_load("one failure, repeated", &stats);
    // On a slow machine a shutdown has no time to send them all.
    project.wait_events(100 + 5 + 5, Duration::from_secs(120));
    let records = service.stop().records();
    let reported = of_kind(&records, "uncaught").iter().filter(|record| record["message"] == "the same").count();
    let counted = dropped(&records, "uncaught");
    figures::print(&format!("{} failures = {reported} reported + {counted} counted", stats.completed()));
    assert_eq!((reported, reported as u64 + counted), (100, stats.completed() as u64));
    assert_eq!(of_kind(&records, "response").len(), stats.completed() + 5, "their responses are recorded nevertheless");

    let events = project.events();
    let of = |what: &str| events.iter().filter(|event| event_message(event) == what).count();
    assert_eq!((of("the same"), of("a captured event")), (100, 5));
    assert_eq!((0..5).map(|n| of(&format!("other {n}"))).sum::<usize>(), 5, "other failures are reported");
    let summary: Vec<&Value> =
        events.iter().filter(|event| event_message(event).starts_with("suppressed repeats of ")).collect();
    assert_eq!(summary.len(), 1);
    assert_eq!(summary[0]["extra"]["suppressed"], counted);
}

#[test]
fn the_count_is_logged_when_the_window_ends() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).env("APP__LOG__FLOOD__WINDOW_S", "1").env("APP__LOG__FLOOD__LIMIT", "2").start();
    for _ in 0..5 {
        run(service.client(), json!([]), json!({"error": "the same"}));
    }
    let count = service.wait_record("the count", |record| record["dropped"]["uncaught"].is_u64());
    assert_eq!((&count["transaction"], &count["exception.message"]), (&json!("POST /probe/run"), &json!("the same")));
    let events = project.wait_events(3, Duration::from_secs(10));
    assert!(events.iter().any(|event| event_message(event).starts_with("suppressed repeats of ")), "{events:?}");
    let reply = run(service.client(), json!([]), json!({"error": "the same"}));
    assert!(reply.json()["sentry_event_id"].is_string(), "a new window has begun");
}
