//! Panics, including those that abort the process.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::binaries;
use system_tests::peers::bugsink::{Bugsink, Project};
use system_tests::service::{Service, Stopped};
use system_tests::wait;

use crate::support::{event_message, exceptions, of_kind, probe_app, probe_with, run};

fn records(stopped: &Stopped) -> Vec<Value> {
    // The standard library prints a final line that is not a record.
    let lines = stopped.stderr.lines().filter(|line| *line != "thread caused non-unwinding panic. aborting.");
    system_tests::records::parse_all(&lines.map(|line| format!("{line}\n")).collect::<String>())
}

fn uncaught(stopped: &Stopped) -> Vec<String> {
    let records = records(stopped);
    of_kind(&records, "uncaught").iter().map(|it| it["message"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The event of this panic is in Sentry. What Sentry does not take in the time that an abort leaves is on stderr in full.
#[track_caller]
fn assert_delivered(project: &Project, stopped: &Stopped, message: &str) {
    let records = records(stopped);
    let panic = records.iter().find(|it| it["kind"] == "uncaught" && it["message"] == message).expect("a record");
    let id = panic["sentry.event_id"].as_str().unwrap_or_else(|| panic!("no event for {panic}"));
    let is_in_full = || records.iter().any(|it| it["event"]["event_id"] == id || it["event_id"] == id);
    match project.event(id) {
        Some(event) => assert_eq!(event_message(&event), message),
        None => assert!(is_in_full(), "the event is neither in Sentry nor on stderr: {}", stopped.stderr),
    }
}

#[test]
fn a_panic_on_any_thread_is_reported() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    let step = json!({"do": "panic_thread", "message": "on a thread of its own"});
    assert_eq!(run(service.client(), json!([step]), Value::Null).status, 204, "the handler continues");
    assert_eq!(run(service.client(), json!([]), json!({"panic": "in the handler"})).status, 500);
    let stopped = service.stop();
    let expected = ["on a thread of its own", "in the handler"];
    assert_eq!(uncaught(&stopped), expected);
    assert_eq!(project.events().iter().map(event_message).collect::<Vec<_>>(), expected);
}

#[test]
fn the_text_of_any_payload_is_reported_once() {
    for (payload, chain) in [
        ("number", json!(["42"])),
        ("text", json!(["an owned text"])),
        ("boxed_error", json!(["the payload is an error", "its cause"])),
        ("error", json!(["panic payload is not text"])),
        ("resumed", json!(["a resumed text"])),
    ] {
        let project = Bugsink::shared().project();
        let service = probe_with(&project).start();
        let reply = run(service.client(), json!([{"do": "panic_any", "payload": payload}]), Value::Null);
        assert_eq!(reply.status, 500);
        // In a task, and on a thread of its own.
        let task = json!([{"do": "spawn", "steps": [{"do": "panic_any", "payload": payload}]}]);
        assert_eq!(run(service.client(), task, Value::Null).status, 204);
        wait::until("both records, with their stacks", Duration::from_secs(20), || {
            (of_kind(&service.records(), "uncaught").len() == 2).then_some(())
        });
        let records = service.stop().records();
        let uncaught = of_kind(&records, "uncaught");
        assert_eq!(uncaught.len(), 2, "{payload}: {uncaught:#?}");
        for record in uncaught {
            assert_eq!((&record["exception.type"], &record["exception.chain"]), (&json!("panic"), &chain));
            // A resumed panic has no place: the hook that would know it is not called.
            let is_known = payload != "resumed";
            let place = record["exception.location"].as_str();
            assert_eq!(place.is_some_and(|place| place.starts_with("tests/src/probe/steps.rs:")), is_known, "{record}");
            let thread = record["thread"].as_str();
            assert_eq!(thread.is_some_and(|thread| thread.starts_with("actix-rt|")), is_known, "{record}");
        }
        let events = project.events();
        assert_eq!(events.iter().map(event_message).collect::<Vec<_>>(), [chain[0].clone(), chain[0].clone()]);
        for event in events.iter().filter(|_| payload != "resumed") {
            let frames = exceptions(event).last().expect("an exception")["stacktrace"]["frames"].clone();
            let top = frames.as_array().and_then(|frames| frames.last()?["function"].as_str()).unwrap_or_default();
            assert!(top.contains("steps::Payload::panic"), "{payload}: {top}");
            assert!(event["extra"]["exception.location"].as_str().is_some_and(|place| place.contains("steps.rs:")));
        }
    }
}

/// Runs a script that aborts the service; returns its output.
fn run_until_abort(service: Service, finish: &Value) -> Stopped {
    let mut service = service.start();
    let _ = service.post("/probe/run").json(&json!({"finish": finish})).try_send();
    let status = service.wait_exit(Duration::from_secs(20));
    assert_eq!(status.code(), None, "a signal ended the process");
    service.stop()
}

#[test]
fn a_double_panic_is_written_before_the_abort() {
    let project = Bugsink::shared().project();
    let stopped = run_until_abort(probe_with(&project), &json!({"panic": "the first", "twice": true}));
    let reported = uncaught(&stopped);
    assert_eq!(reported, ["the first", "a second panic", "panic in a destructor during cleanup"], "{}", stopped.stderr);
    assert_delivered(&project, &stopped, "the first");
}

#[test]
fn panic_abort_writes_the_panic_before_the_abort() {
    let project = Bugsink::shared().project();
    let aborting = binaries::panic_abort(probe_app());
    let service = Service::new(&aborting).env("SENTRY_DSN", &project.dsn);
    let stopped = run_until_abort(service, &json!({"panic": "the only one"}));
    assert_eq!(uncaught(&stopped), ["the only one"], "{}", stopped.stderr);
    assert_delivered(&project, &stopped, "the only one");
    assert!(project.events().len() <= 1, "one failure is one report");
}
