//! Each kind of failure is reported exactly once, and the response contains its event id.

use serde_json::{Value, json};
use system_tests::http::Reply;
use system_tests::peers::bugsink::{Bugsink, Project};
use system_tests::service::{Service, Stopped};

use crate::support::{breadcrumbs, event_message, exceptions, of_kind, probe, probe_with, run};

/// Runs a script on a new service; returns the response, the output, and the events in Sentry.
fn fail(steps: Value, finish: Value) -> (Reply, Stopped, Vec<Value>) {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    let reply = run(service.client(), steps, finish);
    let stopped = service.stop();
    (reply, stopped, project.events())
}

/// The only record with the failure, and the only event.
#[track_caller]
fn single_report(stopped: &Stopped, events: &[Value]) -> (Value, Value) {
    let records = stopped.records();
    let mut failures: Vec<&Value> = records.iter().filter(|record| record.get("exception.type").is_some()).collect();
    assert_eq!(failures.len(), 1, "one failure is one record:\n{}", stopped.stderr);
    assert_eq!(events.len(), 1, "one failure is one event: {:?}", events.iter().map(event_message).collect::<Vec<_>>());
    (failures.remove(0).clone(), events[0].clone())
}

#[track_caller]
fn check_problem(reply: &Reply, event: &Value) {
    assert_eq!(reply.status, 500);
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let problem = reply.json();
    let event_id = event["event_id"].as_str().expect("an event has an id").replace('-', "");
    assert_eq!(problem["sentry_event_id"], event_id);
    assert_eq!(problem["request_id"], event["tags"]["request_id"]);
    assert_eq!((&problem["status"], &problem["title"]), (&json!(500), &json!("Internal Server Error")));
    assert!(!reply.text().contains("no stock"), "prod hides internal details: {}", reply.text());
}

#[test]
fn a_returned_error_is_reported_once() {
    let (reply, stopped, events) = fail(json!([]), json!({"error": "no stock", "cause": "the database is gone"}));
    let (record, event) = single_report(&stopped, &events);
    check_problem(&reply, &event);
    assert_eq!(record["kind"], "uncaught");
    assert_eq!(record["exception.type"], "ProbeError");
    assert_eq!(record["exception.chain"], json!(["no stock", "the database is gone"]));
    assert!(record["exception.stacktrace"].as_str().is_some_and(|stack| stack.contains("system_tests::probe")));
    assert_eq!(record["sentry.event_id"], reply.json()["sentry_event_id"]);

    let chain: Vec<&str> = exceptions(&event).iter().filter_map(|exception| exception["value"].as_str()).collect();
    assert_eq!(chain, ["the database is gone", "no stock"], "Sentry expects the cause first");
    let error = exceptions(&event)[1];
    assert_eq!(error["mechanism"]["handled"], false);
    let frames = error["stacktrace"]["frames"].as_array().expect("the event has a stack");
    let own: Vec<&Value> = frames.iter().filter(|frame| frame["in_app"] == true).collect();
    let is_probe = |frame: &&Value| frame["function"].as_str().is_some_and(|name| name.contains("probe::run"));
    assert!(own.iter().any(is_probe), "{own:?}");
}

#[test]
fn an_event_names_its_origin() {
    // With transactions, too: the scope has a span then.
    for traces in ["0", "1"] {
        let project = Bugsink::shared().project();
        let service = probe_with(&project).env("APP__SENTRY__TRACES_SAMPLE_RATE", traces).start();
        run(service.client(), json!([]), json!({"error": "no stock"}));
        let stopped = service.stop();
        let (record, event) = single_report(&stopped, &project.events());
        check_origin(&record, &event);
    }
}

#[track_caller]
fn check_origin(record: &Value, event: &Value) {
    assert_eq!(event["transaction"], "POST /probe/run");
    assert_eq!(event["tags"]["blueprint"], "probe");
    assert_eq!(event["environment"], "prod");
    assert_eq!(event["release"], concat!("app@", env!("CARGO_PKG_VERSION")));
    assert_eq!(event["contexts"]["trace"]["trace_id"], record["trace_id"]);
    assert_eq!(event["request"]["method"], "POST");
    assert!(event["request"]["url"].as_str().is_some_and(|url| url.ends_with("/probe/run")), "{}", event["request"]);
    // The SDK omits the level `error`.
    assert!(event.get("level").is_none_or(|level| level == "error"));
    assert_eq!(breadcrumbs(event), ["POST /probe/run 500"]);
}

#[test]
fn a_captured_then_returned_error_is_reported_once() {
    let (reply, stopped, events) = fail(json!([]), json!({"error": "no stock", "report": "capture"}));
    let (record, event) = single_report(&stopped, &events);
    assert_eq!(record["kind"], "exception");
    check_problem(&reply, &event);
}

#[test]
fn a_logged_then_returned_error_is_reported_once() {
    let (reply, stopped, events) = fail(json!([]), json!({"error": "no stock", "report": "log"}));
    let (record, event) = single_report(&stopped, &events);
    assert_eq!((&record["kind"], &record["message"]), (&json!("line"), &json!("the probe is about to fail")));
    check_problem(&reply, &event);
}

#[test]
fn a_captured_cause_and_its_returned_error_are_one_report() {
    let steps = json!([{"do": "capture_exception", "message": "the database is gone"}]);
    let (_, stopped, events) = fail(steps, json!({"error": "no stock", "cause": "the database is gone"}));
    single_report(&stopped, &events);
}

#[test]
fn an_error_captured_twice_is_reported_once() {
    let capture = json!({"do": "capture_exception", "message": "no stock"});
    let (_, stopped, events) = fail(json!([capture, capture]), Value::Null);
    single_report(&stopped, &events);
}

#[test]
fn errors_captured_at_two_places_are_two_failures() {
    let capture = |elsewhere: bool| json!({"do": "capture_exception", "message": "no stock", "elsewhere": elsewhere});
    let steps = json!([capture(false), capture(true), capture(true), capture(false)]);
    let (reply, stopped, events) = fail(steps, json!({"error": "no stock"}));
    let records = stopped.records();
    let ids = |records: Vec<&Value>| -> Vec<Value> { records.iter().map(|it| it["sentry.event_id"].clone()).collect() };
    let captured = ids(of_kind(&records, "exception"));
    assert_eq!(captured.len(), 2, "{}", stopped.stderr);
    assert_eq!(of_kind(&records, "uncaught").len(), 0, "the returned error is one of them");
    let mut sent: Vec<String> =
        events.iter().map(|event| event["event_id"].as_str().unwrap_or_default().replace('-', "")).collect();
    sent.sort();
    let mut expected: Vec<&str> = captured.iter().filter_map(Value::as_str).collect();
    expected.sort_unstable();
    assert_eq!(sent, expected);
    assert_eq!(reply.json()["sentry_event_id"], captured[1], "that of the latest capture");
}

#[test]
fn an_error_captured_with_the_sdk_is_one_event() {
    let steps = json!([{"do": "sdk_capture", "message": "no stock"}]);
    let (reply, stopped, events) = fail(steps, json!({"error": "no stock"}));
    let (record, event) = single_report(&stopped, &events);
    check_problem(&reply, &event);
    assert_eq!(record["kind"], "uncaught", "the SDK writes no record");
    assert_eq!(record["sentry.event_id"], reply.json()["sentry_event_id"]);
    assert!(record["exception.stacktrace"].is_string(), "the SDK's event has no stack");
}

#[test]
fn an_error_captured_with_the_sdk_then_logged_is_one_event() {
    let steps = json!([
        {"do": "sdk_capture", "message": "no stock"},
        {"do": "log", "level": "error", "message": "it fails", "error": "no stock"},
    ]);
    let (reply, stopped, events) = fail(steps, json!({"error": "no stock"}));
    let (record, event) = single_report(&stopped, &events);
    check_problem(&reply, &event);
    assert_eq!((&record["kind"], &record["sentry.event_id"]), (&json!("line"), &reply.json()["sentry_event_id"]));
}

#[test]
fn an_error_captured_in_a_spawned_task_is_reported_once() {
    let steps = json!([{"do": "spawn", "steps": [{"do": "capture_exception", "message": "no stock"}]}]);
    let (_, stopped, events) = fail(steps, json!({"error": "no stock"}));
    single_report(&stopped, &events);
}

#[test]
fn a_different_returned_error_is_a_second_failure() {
    let steps = json!([{"do": "capture_exception", "message": "no stock"}]);
    let (_, stopped, events) = fail(steps, json!({"error": "no money"}));
    assert_eq!(events.iter().map(event_message).collect::<Vec<_>>(), ["no stock", "no money"]);
    let records = stopped.records();
    assert_eq!(of_kind(&records, "exception").len(), 1);
    assert_eq!(of_kind(&records, "uncaught").len(), 1);
}

#[test]
fn a_warning_line_leaves_the_event_to_the_error() {
    let steps = json!([{"do": "log", "level": "warning", "message": "it goes wrong", "error": "no stock"}]);
    let (reply, stopped, events) = fail(steps, json!({"error": "no stock"}));
    let (record, event) = single_report(&stopped, &events);
    assert_eq!(record["kind"], "line");
    assert_eq!(event_message(&event), "no stock");
    check_problem(&reply, &event);
}

#[test]
fn an_info_line_with_an_error_is_not_a_report() {
    let steps = json!([{"do": "log", "level": "info", "message": "tries again", "error": "no stock"}]);
    let (reply, stopped, events) = fail(steps, json!({"error": "no stock"}));
    let (record, event) = single_report(&stopped, &events);
    assert_eq!(record["kind"], "uncaught");
    check_problem(&reply, &event);
    assert_eq!(breadcrumbs(&event), ["tries again", "POST /probe/run 500"]);
}

#[test]
fn a_panic_is_reported_once() {
    let (reply, stopped, events) = fail(json!([]), json!({"panic": "no stock"}));
    let (record, event) = single_report(&stopped, &events);
    check_problem(&reply, &event);
    assert_eq!((&record["kind"], &record["exception.type"]), (&json!("uncaught"), &json!("panic")));
    assert!(record["exception.stacktrace"].as_str().is_some_and(|stack| stack.contains("system_tests::probe")));
    assert_eq!(event["level"], "fatal");
    assert_eq!(exceptions(&event)[0]["mechanism"]["handled"], false);
}

#[test]
fn a_worker_survives_panics() {
    let service = probe().env("APP__SERVER__WORKERS", "1").start();
    for _ in 0..5 {
        assert_eq!(run(service.client(), json!([]), json!({"panic": "again"})).status, 500);
    }
    assert_eq!(run(service.client(), json!([]), Value::Null).status, 204);
    assert_eq!(of_kind(&service.stop().records(), "uncaught").len(), 5);
}

#[test]
fn a_plain_5xx_response_is_reported_once() {
    let body = json!({"respond": {"status": 503, "content_type": "text/plain", "body": "later"}});
    let (reply, stopped, events) = fail(json!([]), body);
    assert_eq!((reply.status, reply.text()), (503, "later"), "the handler's response is unchanged");
    let (record, event) = single_report(&stopped, &events);
    assert_eq!(record["kind"], "uncaught");
    assert_eq!(breadcrumbs(&event), ["POST /probe/run 503"]);
    let records = stopped.records();
    assert_eq!(of_kind(&records, "response")[0]["level"], "error");
}

#[test]
fn a_failed_body_stream_is_reported_once() {
    let stream = json!({"stream": {"chunks": 4, "chunk": "abc", "interval_ms": 1, "fail_after": 2}});
    let (reply, stopped, events) = fail(json!([]), stream);
    assert_eq!((reply.status, reply.text(), reply.complete), (200, "abcabc", false));
    let (record, event) = single_report(&stopped, &events);
    assert_eq!(
        (&record["kind"], &record["exception.message"]),
        (&json!("uncaught"), &json!("the probe's stream failed"))
    );
    assert_eq!(breadcrumbs(&event), ["POST /probe/run 200"]);
    let records = stopped.records();
    let response = of_kind(&records, "response")[0];
    assert_eq!((&response["outcome"], &response["level"]), (&json!("error"), &json!("error")));
    assert_eq!(response["http.response.body.content"], "abcabc");
}

#[test]
fn client_errors_are_not_failures() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    let client = service.client();
    let wrong = [
        client.post("/probe/run").body("application/json", "{").send(),
        client.get("/probe/run").send(),
        client.get("/nowhere").send(),
        client.get("/probe/nowhere").send(),
    ];
    assert_eq!(wrong.each_ref().map(|reply| reply.status), [400, 405, 404, 404]);
    for reply in &wrong {
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{}", reply.text());
        assert!(reply.json()["request_id"].is_string());
    }
    assert_eq!(wrong[1].header("allow"), Some("POST, OPTIONS"));
    let records = service.stop().records();
    assert_eq!(of_kind(&records, "response").len(), 4);
    assert!(records.iter().all(|record| record.get("exception.type").is_none()));
    assert_eq!(project.events(), Vec::<Value>::new());
}

#[test]
fn problem_details_show_the_error_in_dev() {
    let service = probe().env("APP__ENV", "dev").env("APP__LOG__FORMAT", "json").start();
    let reply = run(service.client(), json!([]), json!({"error": "no stock", "cause": "the database is gone"}));
    assert_eq!(reply.json()["detail"], "no stock: the database is gone");
    assert_eq!(reply.json().get("sentry_event_id"), None, "without Sentry there is no event id");
}

#[test]
fn a_sampled_out_event_has_no_id_and_its_stack_is_logged() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).env("APP__SENTRY__SAMPLE_RATE", "0").start();
    let steps = json!([{"do": "capture_exception", "message": "caught"}]);
    let reply = run(service.client(), steps, json!({"error": "no stock"}));
    assert_eq!(reply.json().get("sentry_event_id"), None);
    let records = service.stop().records();
    let caught = of_kind(&records, "exception")[0];
    assert!(caught.get("sentry.event_id").is_none() && caught.get("exception.stacktrace").is_some(), "{caught}");
    assert_eq!(project.events(), Vec::<Value>::new());
}

/// A service whose only failure is not sent: a line with its stack, and no promise of an event.
#[track_caller]
fn check_held_back(service: Service, project: &Project, message: &str) {
    let service = service.start();
    let captured = json!([{"do": "capture_exception", "message": message}, {"do": "sdk_capture", "message": "sent"}]);
    run(service.client(), captured, Value::Null);
    let reply = run(service.client(), json!([]), json!({"error": message}));
    assert_eq!((reply.status, reply.json().get("sentry_event_id")), (500, None));
    let records = service.stop().records();
    for kind in ["exception", "uncaught"] {
        let record = of_kind(&records, kind)[0];
        assert!(record.get("sentry.event_id").is_none(), "{record}");
        assert!(record.get("exception.stacktrace").is_some(), "{record}");
    }
    assert!(project.events().iter().all(|event| event_message(event) == "sent"));
}

#[test]
fn an_event_that_the_hook_holds_back_has_no_id() {
    let project = Bugsink::shared().project();
    check_held_back(probe_with(&project), &project, "hold-back this");
}

#[test]
fn an_ignored_type_is_not_sent() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).env("APP__SENTRY__IGNORE", "Other,ProbeError");
    check_held_back(service, &project, "no stock");
    assert_eq!(project.events(), Vec::<Value>::new(), "nor is one that the SDK captured");
}

#[test]
fn the_hook_changes_events() {
    let capture = json!([{"do": "capture_event", "message": "tag-me: a message"}]);
    let (_, _, events) = fail(capture, json!({"error": "tag-me: no stock"}));
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event["tags"]["hook"] == "before_send"), "{events:?}");
}

#[test]
fn in_development_the_reason_precedes_a_failed_response() {
    let service = probe().env("APP__ENV", "dev").env("APP__LOG__FORMAT", "json").start();
    // The first stack takes the longest to resolve.
    for finish in [json!({"error": "the reason"}), json!({"panic": "the reason"}), json!({"error": "the reason"})] {
        assert_eq!(run(service.client(), json!([]), finish).status, 500);
    }
    let plain = json!({"respond": {"status": 500, "body": ""}});
    run(service.client(), json!([]), plain);
    let records = service.stop().records();
    let kinds = records.iter().map(|record| record["kind"].as_str().expect("a kind"));
    let kinds: Vec<&str> = kinds.filter(|kind| ["uncaught", "response"].contains(kind)).collect();
    assert_eq!(kinds, ["uncaught", "response"].repeat(4));
}
