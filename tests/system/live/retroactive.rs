//! Retroactive lines: lines below the log level are written when their request fails.

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;
use system_tests::service::Stopped;

use crate::support::{breadcrumbs, probe, probe_with, run};

/// Steps that log lines at several levels.
fn script() -> Value {
    json!([
        {"do": "log", "level": "trace", "message": "step trace"},
        {"do": "log", "level": "debug", "message": "step one"},
        {"do": "log", "level": "info", "message": "step two"},
        {"do": "span", "steps": [{"do": "log", "level": "debug", "message": "step three with Bearer hunter2hunter2"}]},
    ])
}

/// The steps on stderr, and whether each has `retroactive`; the failure's record is last.
fn steps(stopped: &Stopped) -> Vec<(String, bool)> {
    let records = stopped.records();
    let of_request = records.iter().filter(|record| {
        record["kind"] == "uncaught" || record["message"].as_str().is_some_and(|message| message.starts_with("step"))
    });
    let shown = of_request.map(|record| {
        let message = record["message"].as_str().unwrap_or_default();
        let message = if message.starts_with("step") { message.split(" with").next() } else { Some(message) };
        (message.unwrap_or_default().to_owned(), record["retroactive"] == true)
    });
    shown.collect()
}

fn row(message: &str, marked: bool) -> (String, bool) {
    (message.to_owned(), marked)
}

#[test]
fn failures_write_retroactive_lines_before_their_record() {
    for (finish, failure) in [
        (json!({"error": "returned"}), "returned"),
        (json!({"panic": "panicked"}), "panicked"),
        (json!({"respond": {"status": 500}}), "responded with 500 Internal Server Error"),
    ] {
        let service = probe().env("APP__LOG__ON_FAILURE__LEVEL", "debug").start();
        run(service.client(), script(), finish);
        let stopped = service.stop();
        let expected = [row("step two", false), row("step one", true), row("step three", true), row(failure, false)];
        assert_eq!(steps(&stopped), expected, "{}", stopped.stderr);
        assert!(!stopped.stderr.contains("hunter2"), "retroactive lines are redacted");
    }
}

#[test]
fn a_timeout_writes_retroactive_lines() {
    let service =
        probe().env("APP__LOG__ON_FAILURE__LEVEL", "debug").env("APP__SERVER__HANDLER_TIMEOUT_S", "1").start();
    let steps = json!([{"do": "log", "level": "debug", "message": "step one"}, {"do": "sleep", "ms": 5000}]);
    assert_eq!(run(service.client(), steps, Value::Null).status, 503);
    assert_eq!(self::steps(&service.stop())[0], row("step one", true));
}

#[test]
fn successful_requests_write_no_retroactive_lines() {
    let service = probe().env("APP__LOG__ON_FAILURE__LEVEL", "debug").start();
    run(service.client(), script(), json!({"respond": {"status": 404}}));
    let mut caught = script();
    caught.as_array_mut().expect("a list").push(json!({"do": "capture_exception", "message": "caught"}));
    run(service.client(), caught, Value::Null);
    let expected = [row("step two", false), row("step two", false)];
    assert_eq!(steps(&service.stop()), expected);
}

#[test]
fn retroactive_lines_are_off_by_default() {
    let service = probe().start();
    run(service.client(), script(), json!({"error": "returned"}));
    assert_eq!(steps(&service.stop()), [row("step two", false), row("returned", false)]);
}

#[test]
fn retroactive_lines_are_breadcrumbs_in_order() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).env("APP__LOG__ON_FAILURE__LEVEL", "debug").start();
    run(service.client(), script(), json!({"error": "returned"}));
    service.stop();
    let events = project.events();
    assert_eq!(events.len(), 1);
    let own: Vec<_> = breadcrumbs(&events[0]).into_iter().filter(|crumb| crumb.starts_with("step")).collect();
    assert_eq!(own.len(), 3, "{own:?}");
    assert_eq!(own[..2], ["step one", "step two"]);
    assert!(!own[2].contains("hunter2"));
}
