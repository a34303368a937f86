//! Handler timeouts: the handler is cancelled, and the timeout is reported as a failure.

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;
use system_tests::service::Service;

use crate::support::{breadcrumbs, event_message, exceptions, of_kind, probe, probe_with, run};

fn limited(service: Service) -> Service {
    service.env("APP__SERVER__HANDLER_TIMEOUT_S", "1")
}

#[test]
fn a_hung_handler_gets_503_and_one_report() {
    let project = Bugsink::shared().project();
    let service = limited(probe_with(&project)).start();
    let steps = json!([
        {"do": "breadcrumb", "message": "before"},
        {"do": "sleep", "ms": 60_000},
        {"do": "breadcrumb", "message": "never"},
    ]);
    let reply = run(service.client(), steps, Value::Null);
    assert_eq!((reply.status, reply.header("content-type")), (503, Some("application/problem+json")));
    assert_eq!(reply.json().get("detail"), None, "internal details are not shown");
    let records = service.stop().records();
    let uncaught = of_kind(&records, "uncaught");
    assert_eq!(uncaught.len(), 1);
    assert_eq!(uncaught[0]["exception.message"], "the handler did not respond within 1 s (server.handler_timeout_s)");
    let responses = of_kind(&records, "response");
    assert_eq!(responses.len(), 1);
    let response = responses[0];
    assert_eq!(
        (&response["http.response.status_code"], &response["outcome"], &response["level"], &response["blueprint"]),
        (&json!(503), &json!("complete"), &json!("error"), &json!("probe"))
    );
    assert!(response["duration_ms"].as_f64().is_some_and(|ms| ms < 30_000.0), "{response}");

    let events = project.events();
    assert_eq!(events.len(), 1);
    assert_eq!(event_message(&events[0]), "the handler did not respond within 1 s (server.handler_timeout_s)");
    assert_eq!(exceptions(&events[0])[0]["mechanism"]["handled"], false);
    assert_eq!(breadcrumbs(&events[0]), ["before", "POST /probe/run 503"]);
    assert_eq!(reply.json()["sentry_event_id"], uncaught[0]["sentry.event_id"]);
}

#[test]
fn a_started_stream_has_no_timeout() {
    let service = limited(probe()).start();
    let stream = json!({"stream": {"chunks": 4, "chunk": "a", "interval_ms": 500}});
    let reply = run(service.client(), json!([]), stream);
    assert_eq!((reply.status, reply.text(), reply.complete), (200, "aaaa", true));
    assert_eq!(of_kind(&service.stop().records(), "uncaught").len(), 0);
}

#[test]
fn a_timeout_of_zero_disables_the_limit() {
    let service = probe().env("APP__SERVER__HANDLER_TIMEOUT_S", "0").start();
    assert_eq!(run(service.client(), json!([{"do": "sleep", "ms": 20}]), Value::Null).status, 204);
}
