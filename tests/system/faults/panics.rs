//! Panics, including those that abort the process.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::binaries;
use system_tests::peers::bugsink::Bugsink;
use system_tests::service::{Service, Stopped};

use crate::support::{event_message, of_kind, probe_app, probe_with, run};

fn uncaught(stopped: &Stopped) -> Vec<String> {
    // The standard library prints a final line that is not a record.
    let lines = stopped.stderr.lines().filter(|line| *line != "thread caused non-unwinding panic. aborting.");
    let records = system_tests::records::parse_all(&lines.map(|line| format!("{line}\n")).collect::<String>());
    of_kind(&records, "uncaught").iter().map(|it| it["message"].as_str().unwrap_or_default().to_owned()).collect()
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
    let arrived: Vec<String> = project.events().iter().map(event_message).collect();
    assert!(arrived.contains(&"the first".to_owned()), "{arrived:?}");
}

#[test]
fn panic_abort_writes_the_panic_before_the_abort() {
    let project = Bugsink::shared().project();
    let aborting = binaries::panic_abort(probe_app());
    let service = Service::new(&aborting).env("SENTRY_DSN", &project.dsn);
    let stopped = run_until_abort(service, &json!({"panic": "the only one"}));
    assert_eq!(uncaught(&stopped), ["the only one"], "{}", stopped.stderr);
    assert_eq!(project.events().iter().map(event_message).collect::<Vec<_>>(), ["the only one"]);
}
