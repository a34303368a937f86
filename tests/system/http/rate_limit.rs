//! The server's rate limit per client address.

use serde_json::{Value, json};
use system_tests::service::{Running, Service};

use crate::support::{of_kind, probe, run};

fn limited(requests: &str) -> Service {
    let service = probe().env("APP__SERVER__RATE_LIMIT__REQUESTS", requests);
    service.env("APP__SERVER__RATE_LIMIT__WINDOW_S", "3600").env("APP__SERVER__WORKERS", "2")
}

fn script(service: &Running) -> Value {
    json!({"steps": [{"do": "log", "level": "info", "message": "the handler ran"}], "finish": {"respond": {"body": service.port.to_string()}}})
}

#[test]
fn excess_requests_get_429_before_the_handler() {
    let service = limited("3").start();
    let post = || service.post("/probe/run").header("x-request-id", "the-callers").json(&script(&service)).send();
    for remaining in ["2", "1", "0"] {
        let reply = post();
        assert_eq!((reply.status, reply.header("ratelimit-remaining")), (200, Some(remaining)));
        assert_eq!(reply.header("ratelimit-limit"), Some("3"));
    }
    let reply = post();
    assert_eq!((reply.status, reply.header("content-type")), (429, Some("application/problem+json")));
    let wait: u64 = reply.header("retry-after").and_then(|it| it.parse().ok()).expect("whole seconds");
    assert!((1100..=1200).contains(&wait), "{wait}");
    assert_eq!(reply.header("ratelimit-reset"), reply.header("retry-after"));
    assert_eq!((reply.header("ratelimit-limit"), reply.header("ratelimit-remaining")), (Some("3"), Some("0")));
    assert_eq!(reply.header("x-request-id"), Some("the-callers"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.json()["request_id"], "the-callers");
    assert!(reply.json()["detail"].as_str().is_some_and(|it| it.contains("retry after")), "{}", reply.text());

    let records = service.stop().records();
    assert_eq!(of_kind(&records, "line").len(), 3, "the handler ran three times");
    assert_eq!(of_kind(&records, "uncaught").len(), 0);
    let responses = of_kind(&records, "response");
    let last = responses.last().expect("each is recorded");
    assert_eq!(responses.len(), 4);
    assert_eq!(
        (&last["http.response.status_code"], &last["level"], &last["request_id"], &last["http.route"]),
        (&json!(429), &json!("warning"), &json!("the-callers"), &json!("/probe/run"))
    );
}

#[test]
fn failures_count_towards_the_limit() {
    let service = limited("5").start();
    assert_eq!(service.get("/nowhere").send().header("ratelimit-remaining"), Some("4"));
    assert_eq!(run(service.client(), json!([]), json!({"error": "e"})).header("ratelimit-remaining"), Some("3"));
    assert_eq!(run(service.client(), json!([]), json!({"panic": "p"})).header("ratelimit-remaining"), Some("2"));
}

#[test]
fn each_client_address_has_its_own_limit() {
    let service = limited("1").env("APP__SERVER__TRUSTED_PROXIES", "127.0.0.1").start();
    let status = |client: &str| service.get("/nowhere").header("x-forwarded-for", client).send().status;
    assert_eq!([status("192.0.2.1"), status("192.0.2.1"), status("192.0.2.2")], [404, 429, 404]);
    assert_eq!([status("2001:db8:1:2::1"), status("2001:db8:1:2::2"), status("2001:db8:1:3::1")], [404, 429, 404]);
    let records = service.stop().records();
    let refused: Vec<&Value> = of_kind(&records, "response")
        .into_iter()
        .filter(|record| record["http.response.status_code"] == 429)
        .map(|record| &record["client.address"])
        .collect();
    assert_eq!(refused, ["192.0.2.1", "2001:db8:1:2::2"]);
}

#[test]
fn untrusted_forwarded_headers_are_ignored() {
    let service = limited("1").start();
    let status = |client: &str| service.get("/nowhere").header("x-forwarded-for", client).send().status;
    assert_eq!([status("192.0.2.1"), status("192.0.2.2")], [404, 429]);
}

#[test]
fn the_limit_resets_after_the_window() {
    let service = probe().env("APP__SERVER__RATE_LIMIT__REQUESTS", "1").env("APP__SERVER__RATE_LIMIT__WINDOW_S", "1");
    let service = service.start();
    let status = || service.get("/nowhere").send().status;
    assert_eq!([status(), status()], [404, 429]);
    system_tests::wait::until("the limit to reset", std::time::Duration::from_secs(10), || {
        (status() == 404).then_some(())
    });
}

#[test]
fn no_limit_applies_by_default() {
    let service = probe().start();
    for _ in 0..200 {
        let reply = service.get("/nowhere").send();
        assert_eq!((reply.status, reply.header("ratelimit-limit")), (404, None));
    }
}
