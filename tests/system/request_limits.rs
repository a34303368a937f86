//! Requests that are too large, too slow, or incomplete.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use system_tests::binaries;
use system_tests::service::{Running, Service};

use crate::support::of_kind;

fn start(key: &str, value: &str) -> Running {
    Service::new(&binaries::app()).env(key, value).start()
}

/// Sends an incomplete request, and reads the response until the service closes the connection.
fn send_incomplete(service: &Running, text: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", service.port)).expect("the service listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket accepts a timeout");
    stream.write_all(text.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the service ends the connection");
    answer
}

#[test]
fn a_body_over_the_limit_is_413() {
    let service = start("APP__SERVER__MAX_BODY_BYTES", "100");
    let body = json!({"email": "a@b.example", "password": "long enough", "name": "n".repeat(200)});
    let reply = service.post("/users").json(&body).send();
    assert_eq!(reply.status, 413);
    assert_eq!(reply.json()["detail"], "the body is larger than 100 bytes");
    assert_eq!(of_kind(&service.stop().records(), "response")[0]["http.response.status_code"], 413);
}

#[test]
fn a_body_of_another_type_is_415() {
    let service = start("APP__LOG__LEVEL", "info");
    let reply = service.post("/users").body("text/plain", "{}").send();
    assert_eq!((reply.status, reply.header("content-type")), (415, Some("application/problem+json")));
}

#[test]
fn incomplete_headers_time_out() {
    let service = start("APP__SERVER__REQUEST_TIMEOUT_S", "1");
    let answer = send_incomplete(&service, "POST /users HTTP/1.1\r\nhost: x\r\nx-slow");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(service.get("/users").send().status, 401, "other requests are served");
}

#[test]
fn an_incomplete_body_is_408() {
    let service = start("APP__SERVER__REQUEST_TIMEOUT_S", "1");
    let head = "POST /users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let answer = send_incomplete(&service, head);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("the body did not arrive within 1 s"), "{answer}");
}
