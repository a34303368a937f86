//! Release health: the outcomes of requests, counted and sent as sessions.

use serde_json::{Value, json};
use system_tests::peers::recording_sentry::RecordingSentry;
use system_tests::service::Running;

use crate::support::{probe, run};

/// Sends two requests that succeed, four that fail and one that panics.
fn requests(service: &Running) {
    let respond = |status: u16| json!({"respond": {"status": status}});
    run(service.client(), json!([]), Value::Null);
    run(
        service.client(),
        json!([{"do": "log", "level": "error", "message": "no failure of the request"}]),
        respond(404),
    );
    run(service.client(), json!([{"do": "capture_exception", "message": "caught"}]), Value::Null);
    run(service.client(), json!([]), respond(503));
    run(service.client(), json!([]), json!({"error": "returned"}));
    // A failed body may end the connection.
    let script = json!({"finish": {"stream": {"chunks": 3, "chunk": "x", "fail_after": 1}}});
    let _ = service.post("/probe/run").json(&script).try_send();
    run(service.client(), json!([]), json!({"panic": "panicked"}));
}

#[test]
fn sessions_count_the_outcomes_of_requests() {
    for (sessions, transactions) in [("true", "0"), ("true", "1"), ("false", "0")] {
        let sentry = RecordingSentry::start(|_| "200 OK");
        let service = probe().env("SENTRY_DSN", sentry.dsn()).env("APP__SENTRY__SESSIONS", sessions);
        let service = service.env("APP__SENTRY__TRACES_SAMPLE_RATE", transactions);
        let service = service.env("SENTRY_RELEASE", "shop@1.2.3").env("SENTRY_ENVIRONMENT", "stage").start();
        requests(&service);
        service.stop();
        let sent = sentry.payloads("sessions");
        let attributes: Vec<&Value> = sent.iter().map(|item| &item["attrs"]).collect();
        let counts = sent.iter().flat_map(|item| item["aggregates"].as_array().expect("a list"));
        // The requests may begin in one minute and end in the next.
        let sums =
            ["exited", "errored", "crashed"].map(|key| counts.clone().filter_map(|it| it[key].as_u64()).sum::<u64>());
        if sessions == "true" {
            assert_eq!(attributes, [&json!({"release": "shop@1.2.3", "environment": "stage"})]);
            assert_eq!(sums, [2, 4, 1], "{sent:?}");
        } else {
            assert!(sent.is_empty(), "{sent:?}");
        }
    }
}
