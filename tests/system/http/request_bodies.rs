//! Validation of request bodies, and the errors of invalid ones.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::binaries;
use system_tests::http::Request;
use system_tests::service::{Running, Service};

use crate::api::{self, Engine, Member, PASSWORD, invalid_fields, member, problem};
use crate::support::of_kind;

fn order(app: &Running, ada: &Member) -> Request {
    app.post("/orders").bearer(&ada.token)
}

fn good() -> Value {
    json!({"lines": [{"sku": "A-1", "quantity": 2, "unit_price_cents": 1250}]})
}

#[test]
fn arrays_are_rejected_where_objects_are_expected() {
    let app = Service::new(&binaries::app()).env("APP__LOG__REQUEST__BODY", "redacted").start();
    let ada = member(&app, "ada");
    let login = || app.post("/users/login");
    assert_eq!(invalid_fields(login().json(&json!(["ada@example.org", PASSWORD]))), ["(root)"]);
    assert_eq!(invalid_fields(app.post("/users").json(&json!(["bob@example.org", PASSWORD, "Bob"]))), ["(root)"]);
    assert_eq!(
        invalid_fields(app.patch(&format!("/users/{}", ada.id)).bearer(&ada.token).json(&json!(["Eve"]))),
        ["(root)"]
    );
    assert_eq!(invalid_fields(order(&app, &ada).json(&json!([good()["lines"]]))), ["(root)"]);
    assert_eq!(invalid_fields(order(&app, &ada).json(&json!({"lines": [["A-1", 2, 1250]]}))), ["lines[0]"]);
    assert_eq!(order(&app, &ada).json(&good()).send().status, 201);
    assert!(!app.stop().stderr.contains(PASSWORD), "no record contains the password");
}

#[test]
fn compressed_bodies_are_rejected() {
    let app = Service::new(&binaries::app()).env("APP__LOG__REQUEST__BODY", "redacted").start();
    let ada = member(&app, "ada");
    for coding in ["gzip", "GZIP", "br", "identity, gzip", "unknown"] {
        let request = order(&app, &ada).json(&good()).header("content-encoding", coding);
        let reply = request.clone().send();
        assert_eq!(reply.header("accept-encoding"), Some("identity"), "{coding}");
        assert!(problem(request, 415)["detail"].as_str().is_some_and(|it| it.contains("content-encoding")));
    }
    assert_eq!(order(&app, &ada).json(&good()).header("content-encoding", "identity").send().status, 201);
    let records = app.stop().records();
    let refused = of_kind(&records, "response").into_iter().find(|it| it["http.response.status_code"] == 415);
    assert_eq!(refused.expect("it is recorded").get("http.request.body.content"), None);
}

#[test]
fn json_suffix_content_types_are_accepted() {
    let app = Service::new(&binaries::app()).env("APP__LOG__REQUEST__BODY", "redacted").start();
    let ada = member(&app, "ada");
    let send = |content_type: &str| order(&app, &ada).body(content_type, good().to_string());
    let good = ["application/VND.X+JSON", "Application/JSON; charset=utf-8", "application/vnd.x+json;v=1"];
    for content_type in good {
        assert_eq!(send(content_type).send().status, 201, "{content_type}");
    }
    for content_type in ["text/plain", "application/jsonx", "+json", "application/x-www-form-urlencoded", "x"] {
        problem(send(content_type), 415);
    }
    let records = app.stop().records();
    let recorded = of_kind(&records, "response").into_iter().filter(|it| it["http.response.status_code"] == 201);
    let shown = recorded.filter(|it| it["http.request.body.content"].as_str().is_some_and(|it| it.contains("A-1")));
    assert_eq!(shown.count(), good.len());
}

#[test]
fn validation_errors_are_plain_and_bounded() {
    let app = api::start(Engine::Sqlite.single_process());
    let ada = member(&app, "ada");
    let lines = |line: Value| json!({"lines": [line]});
    for (body, field, message) in [
        (json!("x"), "(root)", "expected an object, got a string"),
        (json!({"lines": {}}), "lines", "expected an array, got an object"),
        (lines(json!(7)), "lines[0]", "expected an object, got a whole number"),
        (
            lines(json!({"sku": "A", "quantity": "two", "unit_price_cents": 1})),
            "lines[0].quantity",
            "expected a whole number, got a string",
        ),
        (
            lines(json!({"sku": null, "quantity": 2, "unit_price_cents": 1})),
            "lines[0].sku",
            "expected a string, got null",
        ),
    ] {
        let error = problem(order(&app, &ada).json(&body), 422)["errors"][0].clone();
        assert_eq!((&error["field"], &error["message"]), (&json!(field), &json!(message)), "{body}");
    }
    let empty = vec![json!({"sku": "", "quantity": 0, "unit_price_cents": -1}); 90];
    let refusal = problem(order(&app, &ada).json(&json!({"lines": empty})), 422);
    assert_eq!(refusal["errors"].as_array().map(Vec::len), Some(20), "{refusal}");
    assert_eq!(refusal["detail"], "the request has invalid values; 250 more invalid fields are not listed");
    let long = problem(order(&app, &ada).json(&json!({"x".repeat(100_000): 1})), 422);
    assert!(long.to_string().len() < 2000, "{}", long.to_string().len());
}

#[test]
fn a_body_timeout_is_a_problem_response() {
    let app = Service::new(&binaries::app()).env("APP__SERVER__REQUEST_TIMEOUT_S", "1").start();
    let mut stream = TcpStream::connect(("127.0.0.1", app.port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket accepts a timeout");
    let head = "POST /users/login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    stream.write_all(head.as_bytes()).expect("the service reads the request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the connection ends");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    for part in ["content-type: application/problem+json", "connection: close", "\"request_id\":"] {
        assert!(answer.contains(part), "{answer}");
    }
    // An incomplete head never reaches the service: there is no record.
    let mut stream = TcpStream::connect(("127.0.0.1", app.port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket accepts a timeout");
    stream.write_all(b"POST /users/login HTTP/1.1\r\nhost: a\r\n").expect("the service reads the request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the connection ends");
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    let records = app.stop().records();
    let statuses: Vec<_> =
        of_kind(&records, "response").iter().map(|it| it["http.response.status_code"].clone()).collect();
    assert_eq!(statuses, [408]);
}
