//! The response log's level of detail: by blueprint and route, by status, by sampling, and for request bodies.

use serde_json::{Value, json};
use system_tests::service::Service;

use crate::support::{of_kind, probe, run};

fn script(status: u16) -> Value {
    json!({"finish": {"respond": {"status": status, "content_type": "text/plain", "body": "content"}}})
}

/// Sends the requests, stops the service, and returns the response records.
fn responses(service: Service, requests: &[(&str, &str, u16)]) -> Vec<Value> {
    let service = service.start();
    for (method, path, status) in requests {
        assert_eq!(service.request(method, path).json(&script(*status)).send().status, *status);
    }
    of_kind(&service.stop().records(), "response").into_iter().cloned().collect()
}

/// The status of each record, and whether it has the body's content.
fn statuses_with_content(records: &[Value]) -> Vec<(u64, bool)> {
    let status = |record: &Value| record["http.response.status_code"].as_u64().expect("has a status");
    records.iter().map(|record| (status(record), record.get("http.response.body.content").is_some())).collect()
}

#[test]
fn a_route_can_reduce_response_logging() {
    let requests = [("POST", "/probe/run", 200), ("POST", "/probe/run/quiet", 201), ("POST", "/probe/run/brief", 202)];
    let records = responses(probe(), &[&requests[..], &[("PUT", "/probe/run/brief", 203)]].concat());
    assert_eq!(statuses_with_content(&records), [(200, true), (202, false), (203, true)]);
    assert_eq!(records[1]["http.response.body.size"], 7, "only the content is missing");
}

#[test]
fn failures_are_reported_on_routes_without_response_log() {
    let service = probe().start();
    service.post("/probe/run/quiet").json(&json!({"finish": {"error": "failed"}})).send();
    let records = service.stop().records();
    assert_eq!((of_kind(&records, "uncaught").len(), of_kind(&records, "response").len()), (1, 0));
}

#[test]
fn settings_override_route_rules() {
    let requests = [("POST", "/probe/run", 200), ("POST", "/probe/run/quiet", 201), ("POST", "/probe/run/brief", 202)];
    let records = responses(probe().env("APP__LOG__RESPONSE__BODY", "metadata"), &requests);
    assert_eq!(statuses_with_content(&records), [(200, false), (202, false)]);
    assert_eq!(responses(probe().env("APP__LOG__RESPONSE__BODY", "off"), &requests), Vec::<Value>::new());
}

#[test]
fn the_routes_command_shows_the_response_log_level() {
    let listed = |service: Service| service.arg("routes").run().stdout;
    let line = |listed: &str, path: &str| listed.lines().find(|line| line.contains(path)).map(str::to_owned);
    let all = listed(probe());
    assert!(line(&all, "/probe/run/quiet").is_some_and(|line| line.ends_with("off")), "{all}");
    assert!(line(&all, "/probe/run/brief").is_some_and(|line| line.ends_with("metadata")), "{all}");
    assert!(line(&all, "/users/login").is_some_and(|line| line.ends_with("body")), "{all}");
    let less = listed(probe().env("APP__LOG__RESPONSE__BODY", "metadata"));
    assert!(line(&less, "/users/login").is_some_and(|line| line.ends_with("metadata")), "{less}");
}

#[test]
fn bodies_are_logged_from_a_minimum_status() {
    let requests = [200, 302, 404, 500].map(|status| ("POST", "/probe/run", status));
    let records = responses(probe().env("APP__LOG__RESPONSE__BODY_FROM_STATUS", "400"), &requests);
    assert_eq!(statuses_with_content(&records), [(200, false), (302, false), (404, true), (500, true)]);
}

#[test]
fn sampling_applies_to_successes_only() {
    let service = probe().env("APP__LOG__RESPONSE__SAMPLE_RATE", "0").start();
    let client = service.client();
    let respond = |status: u16| json!({"respond": {"status": status, "content_type": "text/plain", "body": "content"}});
    for status in [200, 204, 302, 404, 500] {
        run(client, json!([{"do": "log", "level": "info", "message": "a line"}]), respond(status));
    }
    // A success by status, but with a reported failure.
    run(client, json!([{"do": "capture_exception", "message": "caught"}]), respond(201));
    let broken = json!({"finish": {"stream": {"chunks": 2, "chunk": "x", "fail_after": 1}}});
    let _ = client.post("/probe/run").json(&broken).try_send();
    let records = service.stop().records();
    let statuses: Vec<&Value> =
        of_kind(&records, "response").iter().map(|record| &record["http.response.status_code"]).collect();
    assert_eq!(statuses, [404, 500, 201, 200]);
    assert_eq!(of_kind(&records, "line").len(), 5, "lines are not sampled");
}

#[test]
fn sampling_matches_the_configured_rate() {
    let service = probe().env("APP__LOG__RESPONSE__SAMPLE_RATE", "0.5").start();
    let client = service.client();
    for _ in 0..200 {
        run(client, json!([]), Value::Null);
    }
    let drawn = of_kind(&service.stop().records(), "response").len();
    // Six standard deviations on each side.
    assert!((57..=143).contains(&drawn), "{drawn} of 200");
}

#[test]
fn request_bodies_are_logged_when_configured() {
    let body = r#"{"steps": [], "finish": null, "note":"password=t0psecret"}"#;
    for (setting, content) in [("off", None), ("metadata", None), ("redacted", Some("[redacted]"))] {
        let service =
            probe().env("APP__LOG__REQUEST__BODY", setting).env("APP__LOG__REQUEST__MAX_BYTES", "100").start();
        service.post("/probe/echo").body("application/json", body).send();
        let records = service.stop().records();
        let record = of_kind(&records, "response")[0];
        let size = (setting != "off").then_some(body.len() as u64);
        assert_eq!(record["http.request.body.size"].as_u64(), size, "{setting}");
        let shown = record["http.request.body.content"].as_str();
        assert_eq!(shown.is_some(), content.is_some(), "{setting}");
        assert!(shown.is_none_or(|shown| shown.contains("[redacted]") && !shown.contains("t0psecret")), "{record}");
    }
}

#[test]
fn metadata_routes_log_no_request_body() {
    let service = probe().env("APP__LOG__REQUEST__BODY", "redacted").start();
    service.post("/probe/run/brief").json(&script(200)).send();
    service.get("/probe/run").send();
    let records = service.stop().records();
    let responses = of_kind(&records, "response");
    assert!(responses[0]["http.request.body.size"].is_u64());
    assert_eq!(responses[0].get("http.request.body.content"), None);
    assert_eq!(responses[1].get("http.request.body.size"), None, "there was no body");
}

#[test]
fn long_request_bodies_are_truncated() {
    let service = probe().env("APP__LOG__REQUEST__BODY", "redacted").env("APP__LOG__REQUEST__MAX_BYTES", "10").start();
    service.post("/probe/echo").body("text/plain", "ä".repeat(10)).send();
    let records = service.stop().records();
    let record = of_kind(&records, "response")[0];
    assert_eq!(record["http.request.body.content"], "ä".repeat(5));
    assert_eq!((&record["http.request.body.size"], &record["http.request.body.truncated"]), (&json!(20), &json!(true)));
}
