//! Ways out of the process besides signals: each writes its last words, and delivers what was captured before.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::peers::bugsink::{Bugsink, Project};
use system_tests::service::{Service, Stopped};

use crate::support::{event_message, exceptions, of_kind, probe, probe_with};

fn with_fault(service: Service, fault: &str) -> Service {
    service.env("PROBE_FAULT", fault)
}

fn messages(project: &Project) -> Vec<String> {
    project.events().iter().map(event_message).collect()
}

/// Asserts that the process ended with 70, and that its last record is critical with the reason; returns the panic's record.
#[track_caller]
fn panic_record(stopped: &Stopped, message: &str, reason: &str) -> Value {
    assert_eq!((stopped.code(), &*stopped.stdout), (Some(70), ""), "{message}: {}", stopped.stderr);
    let records = stopped.records();
    let uncaught = of_kind(&records, "uncaught");
    let [panic] = &uncaught[..] else { panic!("one record of {message}: {}", stopped.stderr) };
    assert_eq!((&panic["exception.type"], &panic["message"]), (&json!("panic"), &json!(message)));
    // The thread that sends to Sentry may report after it that Sentry is unavailable.
    let mut own = records.iter().filter(|record| record["target"] != "cyanotype::sentry");
    let last = own.next_back().expect("the panic's record");
    assert_eq!((&last["kind"], &last["level"]), (&json!("service"), &json!("critical")), "{last}");
    assert!(last["message"].as_str().is_some_and(|text| text.contains(reason)), "{last}");
    (*panic).clone()
}

#[test]
fn a_panic_before_serving_is_recorded_and_sent() {
    for fault in ["factory panic", "settings panic", "migrations panic", "routes panic", "start panic"] {
        let project = Bugsink::shared().project();
        let stopped = with_fault(probe_with(&project), fault).run();
        let panic = panic_record(&stopped, fault, fault);
        assert_eq!(panic["thread"], "main", "{panic}");
        let place = panic["exception.location"].as_str().unwrap_or_default();
        assert!(place.starts_with("tests/src/probe/faults.rs:"), "{panic}");
        assert!(messages(&project).contains(&fault.to_owned()), "{fault}: {:?}", messages(&project));
    }
}

#[test]
fn an_event_captured_before_a_failed_start_arrives() {
    for (fault, status) in [("start panic", 70), ("start resumed panic", 70), ("start failure", 69)] {
        let project = Bugsink::shared().project();
        let stopped = with_fault(probe_with(&project), fault).run();
        assert_eq!(stopped.code(), Some(status), "{}", stopped.stderr);
        let arrived = messages(&project);
        assert!(arrived.contains(&"captured during the start".to_owned()), "{fault}: {arrived:?}");
        let panics = arrived.iter().filter(|it| *it == fault).count();
        assert_eq!(panics, usize::from(status == 70), "{fault}: {arrived:?}");
    }
}

#[test]
fn a_panic_on_a_worker_that_cannot_start_ends_the_process() {
    let project = Bugsink::shared().project();
    let stopped = with_fault(probe_with(&project), "worker panic").env("APP__SERVER__WORKERS", "1").run();
    panic_record(&stopped, "worker panic", "the API server has ended");
    assert_eq!(messages(&project), ["worker panic"]);
}

#[test]
fn a_panic_while_a_blueprint_stops_is_recorded_and_sent() {
    let project = Bugsink::shared().project();
    let stopped = with_fault(probe_with(&project), "stop panic").start().stop();
    panic_record(&stopped, "stop panic", "stop panic");
    let stopping: Vec<Value> = stopped.records().iter().map(|record| record["message"].clone()).collect();
    assert!(stopping.contains(&json!("stopped")), "the other steps follow: {stopping:?}");
    assert_eq!(messages(&project), ["stop panic"]);
}

#[test]
fn a_panic_is_spooled_when_sentry_is_down() {
    let spool = system_tests::scratch::Scratch::new("spool");
    let service = probe().env("SENTRY_DSN", "http://key@127.0.0.1:9/1");
    let service = service.env("APP__SENTRY__SPOOL_DIR", spool.path());
    panic_record(&with_fault(service, "start panic").run(), "start panic", "start panic");
    let spooled = std::fs::read_dir(spool.path()).expect("the spool").filter_map(Result::ok);
    let spooled: Vec<String> = spooled.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(spooled.iter().filter(|name| name.contains(".event.")).count(), 2, "{spooled:?}");
}

/// Without a sink for records the reason is plain text, in one line of limited length, with journald's priority.
#[test]
fn last_words_without_a_sink_are_one_line_with_a_priority() {
    for (mode, fault) in [("off", "start panic"), ("off", "factory panic"), ("sentry", "settings panic")] {
        let service = with_fault(probe(), fault).env("APP__LOG__MODE", mode);
        let stopped = service.env("APP__LOG__PRIORITY_PREFIX", "always").run();
        assert_eq!((stopped.code(), &*stopped.stdout), (Some(70), ""), "{}", stopped.stderr);
        let lines: Vec<&str> = stopped.stderr.lines().collect();
        let [line] = lines[..] else { panic!("one line: {}", stopped.stderr) };
        assert!(line.starts_with("<2>") && line.contains(fault) && line.contains("faults.rs:"), "{line}");
    }
}

#[test]
fn the_last_records_have_the_priority_of_their_level() {
    let stopped = with_fault(probe(), "start panic").env("APP__LOG__PRIORITY_PREFIX", "always").run();
    let priorities: Vec<&str> = stopped.stderr.lines().map(|line| &line[..3]).collect();
    assert_eq!(priorities.last(), Some(&"<2>"), "{}", stopped.stderr);
    assert!(priorities.contains(&"<3>"), "{}", stopped.stderr);
}

#[test]
fn a_command_that_panics_writes_one_line() {
    let mut service = with_fault(probe(), "settings panic");
    for argument in ["config", "--check"] {
        service = service.arg(argument);
    }
    let stopped = service.run();
    assert_eq!((stopped.code(), &*stopped.stdout), (Some(70), ""), "{}", stopped.stderr);
    let lines: Vec<&str> = stopped.stderr.lines().collect();
    assert!(matches!(lines[..], [line] if line.contains("settings panic")), "{}", stopped.stderr);
}

#[test]
fn a_stop_signal_does_not_wait_for_a_blueprints_start() {
    let project = Bugsink::shared().project();
    let mut service = with_fault(probe_with(&project), "start hangs").spawn_starting();
    service.wait_record("the start", |record| record["message"] == "captured during the start");
    service.signal("TERM");
    assert_eq!(service.wait_exit(Duration::from_secs(8)).code(), Some(0));
    let records = service.stop().records();
    let last: Vec<&Value> = records.iter().rev().take(2).map(|record| &record["message"]).collect();
    assert_eq!(last, [&json!("stopped"), &json!("stopping on SIGTERM")]);
    assert_eq!(messages(&project), ["captured during the start"]);
}

#[test]
fn a_panic_has_its_place_and_thread_in_sentry() {
    let project = Bugsink::shared().project();
    // With time to resolve the stack on a busy machine.
    with_fault(probe_with(&project), "start panic").env("APP__SERVER__SHUTDOWN_TIMEOUT_S", "60").run();
    let events = project.events();
    let event = events.iter().find(|event| event_message(event) == "start panic").expect("the panic's event");
    assert_eq!(event["level"], "fatal", "{event:#}");
    assert_eq!(event["extra"]["thread"], "main");
    let place = event["extra"]["exception.location"].as_str().unwrap_or_default();
    assert!(place.starts_with("tests/src/probe/faults.rs:"), "{event:#}");
    let exception = *exceptions(event).last().expect("an exception");
    let frames = exception["stacktrace"]["frames"].as_array().expect("frames");
    let top = frames.last().expect("a frame")["function"].as_str().unwrap_or_default();
    assert!(top.contains("faults::panic_if"), "{top}");
}
