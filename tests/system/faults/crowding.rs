//! The same failure over and over.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::figures;
use system_tests::load::Load;
use system_tests::peers::bugsink::Bugsink;

use super::{PAUSE, dropped, tell};
use crate::support::{about, of_kind, probe_with, run};

#[test]
fn a_flood_is_counted_and_crowds_nobody_out() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).env("APP__LOG__FLOOD__WINDOW_S", "60").start();
    let load = Load::start(service.port, 2, PAUSE / 2, &json!({"finish": {"error": "the same"}}));
    sleep(Duration::from_secs(2));
    for n in 0..5 {
        run(
            service.client(),
            json!([{"do": "capture_event", "message": "asked for"}]),
            json!({"error": format!("other {n}")}),
        );
    }
    let seen = load.stop();
    tell("one failure over and over", &seen);
    let records = service.stop().records();
    let told = of_kind(&records, "uncaught").iter().filter(|record| record["message"] == "the same").count();
    let counted = dropped(&records, "uncaught");
    figures::print(&format!("{} failures = {told} told + {counted} counted", seen.answered()));
    assert_eq!((told, told as u64 + counted), (100, seen.answered() as u64));
    assert_eq!(of_kind(&records, "response").len(), seen.answered() + 5, "their responses are recorded all the same");

    let events = project.events();
    let of = |what: &str| events.iter().filter(|event| about(event) == what).count();
    assert_eq!((of("the same"), of("asked for")), (100, 5));
    assert_eq!((0..5).map(|n| of(&format!("other {n}"))).sum::<usize>(), 5, "others are not crowded out");
    let summary: Vec<&Value> =
        events.iter().filter(|event| about(event).starts_with("suppressed repeats of ")).collect();
    assert_eq!(summary.len(), 1);
    assert_eq!(summary[0]["extra"]["suppressed"], counted);
}

#[test]
fn the_count_is_told_when_the_window_ends() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).env("APP__LOG__FLOOD__WINDOW_S", "1").env("APP__LOG__FLOOD__LIMIT", "2").start();
    for _ in 0..5 {
        run(service.client(), json!([]), json!({"error": "the same"}));
    }
    let said = service.wait_record("the count", |record| record["dropped"]["uncaught"].is_u64());
    assert_eq!((&said["transaction"], &said["exception.message"]), (&json!("POST /probe/run"), &json!("the same")));
    let events = project.wait_events(3, Duration::from_secs(10));
    assert!(events.iter().any(|event| about(event).starts_with("suppressed repeats of ")), "{events:?}");
    let reply = run(service.client(), json!([]), json!({"error": "the same"}));
    assert!(reply.json()["sentry_event_id"].is_string(), "a new window has begun");
}
