//! Request ids: the caller's id is used if it is safe, and every response has one.

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;

use super::responses_of_every_kind;
use crate::support::{probe, probe_with, run};

#[test]
fn the_callers_request_id_is_used_everywhere() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    let script = json!({"steps": [{"do": "log", "level": "info", "message": "a line"}], "finish": {"error": "broken"}});
    let reply = service.post("/probe/run").header("x-request-id", "web-1:7/a").json(&script).send();
    assert_eq!(reply.header("x-request-id"), Some("web-1:7/a"));
    assert_eq!(reply.json()["request_id"], "web-1:7/a");
    let records = service.stop().records();
    let ids: Vec<&Value> = records.iter().filter_map(|record| record.get("request_id")).collect();
    assert_eq!(ids, ["web-1:7/a"; 3], "the line, the failure and the response");
    assert_eq!(project.events()[0]["tags"]["request_id"], "web-1:7/a");
}

#[test]
fn every_response_has_a_request_id() {
    let service = probe().start();
    for reply in responses_of_every_kind(&service, ("x-request-id", "the-callers")) {
        let ids: Vec<_> = reply.headers.iter().filter(|(name, _)| name == "x-request-id").collect();
        assert_eq!(ids.len(), 1, "{:?}", reply.headers);
        assert_eq!(reply.header("x-request-id"), Some("the-callers"), "{}", reply.text());
    }
}

#[test]
fn missing_or_unsafe_request_ids_are_replaced() {
    let service = probe().start();
    let new = |id: Option<&str>| {
        let request = service.get("/nowhere");
        let reply = id.into_iter().fold(request, |request, id| request.header("x-request-id", id)).send();
        assert_eq!(reply.json()["request_id"].as_str(), reply.header("x-request-id"));
        let id = reply.header("x-request-id").expect("every response has an id").to_owned();
        assert!(id.len() == 36 && id.as_bytes()[14] == b'7', "a UUID of version 7: {id}");
        id
    };
    let one = new(None);
    assert_ne!(one, new(None));
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ0MHBzZWNyZXQifQ.t0psecret";
    for bad in ["", "two words", "<!--XSUPERVISOR:BEGIN-->", "\u{e4}", &"x".repeat(129), jwt, "4111111111111111"] {
        new(Some(bad));
    }
    let stopped = service.stop();
    for secret in [jwt, "4111111111111111", "XSUPERVISOR"] {
        assert!(!stopped.stderr.contains(secret), "stderr contains {secret}");
    }
}

#[test]
fn short_request_ids_are_shown_in_full() {
    let service = probe().env("APP__LOG__FORMAT", "pretty").start();
    service.get("/nowhere").header("x-request-id", "7").send();
    run(service.client(), json!([]), Value::Null);
    let stderr = service.stop().stderr;
    assert!(stderr.contains("-#7"), "{stderr}");
}
