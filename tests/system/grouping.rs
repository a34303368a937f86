//! How Sentry groups events into issues.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;

use crate::support::{event_message, probe_with, run};

/// An id such as services make, of which no server sees by itself that it is one.
fn id(n: usize) -> String {
    format!("ord_k{n}x{}q", n * 7919 % 1000)
}

#[test]
fn failures_that_differ_in_an_id_are_one_issue() {
    const COUNT: usize = 300;
    let bugsink = Bugsink::start_own("BUGSINK[\"MAX_EVENTS_PER_PROJECT_PER_5_MINUTES\"] = 100000");
    let project = bugsink.project();
    let service = probe_with(&project).env("APP__LOG__FLOOD__LIMIT", "2000").start();
    for hundreds in 0..COUNT / 100 {
        let message = |n: usize| format!("order {} of user \"u{n}\" not found", id(hundreds * 100 + n));
        let step = |n: usize| json!({"do": "capture_exception", "message": message(n)});
        run(service.client(), (0..100).map(step).collect(), Value::Null);
    }
    run(
        service.client(),
        json!([{"do": "capture_exception", "message": "order ord_k1x1q of user \"u1\" not paid"}]),
        Value::Null,
    );
    project.wait_events(COUNT + 1, Duration::from_secs(240));
    assert_eq!(project.issue_sizes(), [1, COUNT as u64]);
}

#[test]
fn lines_messages_and_uncaught_failures_are_grouped_by_template() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    for n in 0..5 {
        let steps = json!([
            {"do": "log", "level": "error", "message": format!("no stock for {}, 50 % left", id(n))},
            {"do": "capture_event", "message": format!("{} was sold", id(n))},
        ]);
        run(service.client(), steps, json!({"error": format!("no warehouse has {}", id(n))}));
    }
    let events = project.wait_events(15, Duration::from_secs(30));
    assert_eq!(project.issue_sizes(), [5, 5, 5]);
    let line = events.iter().find(|event| event_message(event).starts_with("no stock")).expect("the line's event");
    assert_eq!(line["logentry"]["message"], "no stock for ord_%s, %s %% left");
    assert_eq!(line["logentry"]["params"], json!(["k0x0q", "50"]));
    let failure = events.iter().find(|event| event_message(event).starts_with("no warehouse")).expect("the failure");
    assert_eq!(failure["fingerprint"], json!(["ProbeError", "POST /probe/run", "no warehouse has ord_%s"]));
}

#[test]
fn the_callers_fingerprint_takes_precedence() {
    for how in ["scope", "sdk_fingerprint"] {
        let project = Bugsink::shared().project();
        let service = probe_with(&project).start();
        for message in ["order 17 not found", "sold out"] {
            let steps = json!([
                {"do": how, "fingerprint": ["stock"]},
                {"do": "capture_exception", "message": message},
            ]);
            run(service.client(), steps, Value::Null);
        }
        let events = project.wait_events(2, Duration::from_secs(30));
        assert_eq!((&events[0]["fingerprint"], project.issue_sizes()), (&json!(["stock"]), vec![2]), "{how}");
    }
}
