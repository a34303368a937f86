//! Setting and clearing overrides.

use serde_json::{Value, json};

use super::{fields, level, operator_request, put, service, state};
use crate::support::run;

#[test]
fn an_override_applies_until_it_is_cleared() {
    let service = service().start();
    let log = |message: &str| {
        let steps = json!([{"do": "log", "level": "debug", "message": message}]);
        assert_eq!(run(service.client(), steps, Value::Null).status, 204);
    };
    log("before");
    let set = put(&service, "INC-421", &level("debug", "15m"));
    assert_eq!((set.status, set.header("etag")), (201, Some("\"2\"")));
    let shown = set.json();
    assert_eq!((&shown["id"], &shown["set"]), (&json!("INC-421"), &json!({"log.level": "debug"})));
    assert_eq!((&shown["by"], &shown["source"], &shown["version"]), (&json!("127.0.0.1"), &json!("http"), &json!(2)));
    log("meanwhile");
    let state = state(&service);
    assert_eq!(
        (&state["configured"]["log.level"], &state["effective"]["log.level"]),
        (&json!("info"), &json!("debug"))
    );
    assert_eq!((&state["overrides"][0]["id"], &state["overrides"][0]["until"]), (&json!("INC-421"), &shown["until"]));

    assert_eq!(operator_request(&service, "DELETE", "/log/overrides/INC-421").send().status, 204);
    log("after");
    assert_eq!(operator_request(&service, "DELETE", "/log/overrides/INC-421").send().status, 404);
    let lines: Vec<Value> = service.stop().records().into_iter().filter(|record| record["kind"] == "line").collect();
    assert_eq!(lines.iter().map(|line| &line["message"]).collect::<Vec<_>>(), ["meanwhile"]);
}

#[test]
fn an_override_can_be_scoped() {
    let service = service().start();
    for (scope, name) in [("blueprint", "orders"), ("module", "blueprint_orders::store"), ("route", "GET /orders/{id}")]
    {
        let mut body = level("trace", "1m");
        body[scope] = name.into();
        let set = put(&service, scope, &body);
        assert_eq!((set.status, &set.json()[scope]), (201, &json!(name)));
    }
    assert_eq!(state(&service)["effective"]["log.level"], "info");
    let level = |query: &str| {
        let reply = operator_request(&service, "GET", &format!("/log/explain{query}")).send();
        assert_eq!(reply.status, 200, "{query}: {}", reply.text());
        reply.json()["settings"]["level"].clone()
    };
    for query in ["?blueprint=orders", "?module=blueprint_orders::store", "?route=GET%20/orders/{id}", "?route=/orders"]
    {
        assert_eq!(level(query), "trace", "{query}");
    }
    for query in ["", "?blueprint=users", "?route=/users"] {
        assert_eq!(level(query), "info", "{query}");
    }
}

#[test]
fn invalid_overrides_are_rejected_by_field() {
    let service = service().start();
    let with = |key: &str, value: Value| {
        let mut body = level("debug", "15m");
        body[key] = value;
        body
    };
    for (body, wrong) in [
        (json!({}), &["set", "for", "reason"][..]),
        (with("set", json!({"log.level": "debug", "log.mode": "loud"})), &["set.log.mode"]),
        (with("set", json!({"log.format": "json"})), &["set.log.format"]),
        (with("for", json!("25h")), &["for"]),
        (with("for", json!("0s")), &["for"]),
        (with("reason", json!("a\u{1b}[2J")), &["reason"]),
        (with("by", json!("x".repeat(201))), &["by"]),
        (with("until", json!("tomorrow")), &["until"]),
        (with("blueprint", json!("order")), &["blueprint"]),
        (with("route", json!("GET /order")), &["route"]),
        (with("module", json!("a b")), &["module"]),
        (with("set", json!({"log.level": "debug", "log.request.body": "redacted"})), &["set.log.request.body"]),
    ] {
        let reply = put(&service, "a", &body);
        assert_eq!((reply.status, fields(&reply)), (422, wrong.iter().map(ToString::to_string).collect()), "{body}");
    }
    let hint = put(&service, "a", &with("route", json!("GET /order"))).json();
    assert_eq!(hint["errors"][0]["message"], "unknown route `GET /order`; did you mean GET /orders?");
    let hint = put(&service, "a", &with("blueprint", json!("order"))).json();
    assert!(hint["errors"][0]["message"].as_str().is_some_and(|text| text.contains("users, orders, probe")), "{hint}");
    let hint = put(&service, "a", &with("set", json!({"log.request.body": "metadata"}))).json();
    assert!(
        hint["errors"][0]["message"].as_str().is_some_and(|text| text.contains("log.request.body is off")),
        "{hint}"
    );

    let path = "/log/overrides/a";
    let raw = |kind: &str, body: Vec<u8>| operator_request(&service, "PUT", path).body(kind, body).send().status;
    assert_eq!(raw("application/json", b"{".to_vec()), 400);
    assert_eq!(raw("text/plain", level("debug", "1m").to_string().into()), 415);
    assert_eq!(raw("application/json", vec![b' '; (16 << 10) + 1]), 413);
    assert_eq!(put(&service, "a%20b", &level("debug", "1m")).status, 400);
    assert_eq!(put(&service, "a?dry_run=perhaps", &level("debug", "1m")).status, 422);
    assert_eq!(put(&service, "a?dryrun=true", &level("debug", "1m")).status, 422);
    assert_eq!(operator_request(&service, "POST", path).json(&level("debug", "1m")).send().status, 405);
    let state = state(&service);
    assert_eq!((&state["version"], &state["overrides"]), (&json!(1), &json!([])));
}

#[test]
fn if_match_guards_overrides() {
    let service = service().start();
    let put_if = |version: &str| {
        let request = operator_request(&service, "PUT", "/log/overrides/a").header("if-match", version);
        request.json(&level("debug", "1m")).send().status
    };
    assert_eq!(
        [put_if("\"2\""), put_if("\"x\""), put_if("\"1\""), put_if("1"), put_if("2"), put_if("*")],
        [412, 412, 201, 412, 200, 200]
    );
    let delete_if = |version: &str| {
        operator_request(&service, "DELETE", "/log/overrides/a").header("if-match", version).send().status
    };
    assert_eq!([delete_if("\"3\""), delete_if("\"4\"")], [412, 204]);
}

#[test]
fn at_most_64_overrides_exist() {
    let service = service().start();
    for n in 0..64 {
        assert_eq!(put(&service, &n.to_string(), &level("debug", "1m")).status, 201);
    }
    let refused = put(&service, "64", &level("debug", "1m"));
    assert_eq!(refused.status, 409);
    assert!(fields(&refused).is_empty());
    assert_eq!(put(&service, "63", &level("debug", "1m")).status, 200);
}
