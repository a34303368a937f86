//! Requests rejected because of load are not failures: each response record is a warning, and one record per window counts
//! them.

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;
use system_tests::service::Running;

use crate::support::{of_kind, probe, probe_with, run};

fn refuse(service: &Running, kind: &str, retry_after_ms: u64) -> system_tests::http::Reply {
    run(service.client(), json!([]), json!({"refuse": {kind: {"retry_after_ms": retry_after_ms}}}))
}

fn counts(records: &[Value]) -> Vec<&Value> {
    of_kind(records, "service").into_iter().filter(|record| !record["refused"].is_null()).collect()
}

#[test]
fn rejections_have_retry_after_and_are_not_failures() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).env("APP__LOG__FLOOD__WINDOW_S", "3600").start();
    for (kind, status, retry_after_ms, seconds) in
        [("too_many_requests", 429, 1500, "2"), ("overloaded", 503, 0, "1"), ("overloaded", 503, 3000, "3")]
    {
        let reply = refuse(&service, kind, retry_after_ms);
        assert_eq!((reply.status, reply.header_values("retry-after")), (status, vec![seconds]));
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert_eq!(reply.json()["sentry_event_id"], Value::Null);
    }
    let records = service.stop().records();
    let levels: Vec<&Value> = of_kind(&records, "response").into_iter().map(|record| &record["level"]).collect();
    assert_eq!(levels, ["warning"; 3]);
    assert_eq!(of_kind(&records, "uncaught").len(), 0);
    let [count] = counts(&records)[..] else { panic!("there is not exactly one count: {records:#?}") };
    assert_eq!(
        (&count["level"], &count["refused"], &count["routes"]),
        (&json!("warning"), &json!({"429": 1, "503": 2}), &json!({"POST /probe/run": 3}))
    );
    assert_eq!(count["message"], "refused 3 requests: rate limit or overload");
    assert_eq!(project.events().len(), 0);
}

#[test]
fn each_window_logs_one_warning_with_all_rejections() {
    let service = probe().env("APP__LOG__FLOOD__WINDOW_S", "2").env("APP__SERVER__RATE_LIMIT__REQUESTS", "1");
    let service = service.env("APP__SERVER__RATE_LIMIT__WINDOW_S", "3600").start();
    let get = || service.get("/nowhere").send().status;
    assert_eq!([get(), get(), get()], [404, 429, 429]);
    let count = service.wait_record("the count of a window", |record| !record["refused"].is_null());
    assert_eq!((&count["refused"], &count["level"]), (&json!({"429": 2}), &json!("warning")));
    assert_eq!(get(), 429);
    let records = service.stop().records();
    let counted: u64 = counts(&records).iter().filter_map(|record| record["refused"]["429"].as_u64()).sum();
    assert_eq!((counts(&records).len(), counted), (2, 3), "shutdown ends the window");
}
