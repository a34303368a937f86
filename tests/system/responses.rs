//! A response record for whatever a blueprint returns; nothing is held back for it, and no secret is in it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::service::Running;

use crate::support::{of_kind, probe, run};

fn respond(content_type: &str, body: &str) -> Value {
    json!({"respond": {"status": 200, "content_type": content_type, "body": body}})
}

/// The record of the one response that this service has given.
#[track_caller]
fn record_of(service: Running) -> Value {
    let records = service.stop().records();
    let responses = of_kind(&records, "response");
    assert_eq!(responses.len(), 1, "one response is one record");
    responses[0].clone()
}

#[test]
fn a_response_is_one_record() {
    let service = probe().start();
    let request =
        service.post("/probe/run?status=all&access_token=t0psecret&code=123").header("user-agent", "the tests");
    let body = r#"{"id":1,"nested":[{"apiKey":"t0psecret"}],"note":"ä"}"#;
    let reply = request.json(&json!({"finish": respond("application/json", body)})).send();
    assert_eq!(reply.text(), body, "the answer is as the handler made it");
    let record = record_of(service);
    for (key, value) in [
        ("level", json!("info")),
        ("message", json!("POST /probe/run 200")),
        ("http.request.method", json!("POST")),
        ("http.route", json!("/probe/run")),
        ("url.path", json!("/probe/run")),
        ("url.query", json!("status=all&access_token=[redacted]&code=[redacted]")),
        ("http.response.status_code", json!(200)),
        ("http.response.body.size", json!(body.len())),
        ("http.response.body.content", json!(r#"{"id":1,"nested":[{"apiKey":"[redacted]"}],"note":"ä"}"#)),
        ("http.response.body.truncated", json!(false)),
        ("outcome", json!("complete")),
        ("client.address", json!("127.0.0.1")),
        ("user_agent.original", json!("the tests")),
    ] {
        assert_eq!(record[key], value, "{key}");
    }
    assert!(record["duration_ms"].as_f64().is_some_and(|ms| ms > 0.0));
}

#[test]
fn what_is_more_than_the_limit_is_cut_after_it_was_redacted() {
    let service = probe().env("APP__LOG__RESPONSE__MAX_BYTES", "40").start();
    let body = format!(r#"{{"password":"t0psecret","text":"{}"}}"#, "ä".repeat(50));
    run(service.client(), json!([]), respond("application/json", &body));
    let record = record_of(service);
    assert_eq!(record["http.response.body.size"], body.len());
    assert_eq!(record["http.response.body.truncated"], true);
    let shown = record["http.response.body.content"].as_str().expect("a text");
    assert!(shown.starts_with(r#"{"password":"[redacted]","text":"ä"#) && shown.len() <= 40, "{shown}");
}

#[test]
fn what_cannot_be_read_is_withheld() {
    let service = probe().start();
    run(service.client(), json!([]), respond("application/json", r#"{"password" "t0psecret"}"#));
    let record = record_of(service);
    assert_eq!(record["http.response.body.content"], "[withheld: may contain a secret and could not be parsed]");
}

#[test]
fn a_binary_body_gives_its_size_alone() {
    let service = probe().start();
    run(service.client(), json!([]), respond("application/octet-stream", "0101"));
    let record = record_of(service);
    assert_eq!((record["http.response.body.size"].as_u64(), record.get("http.response.body.content")), (Some(4), None));
}

#[test]
fn more_keys_can_be_redacted_and_bodies_left_out() {
    let service = probe().env("APP__LOG__RESPONSE__REDACT", "email").start();
    run(service.client(), json!([]), respond("application/json", r#"{"email":"a@b.example"}"#));
    assert_eq!(record_of(service)["http.response.body.content"], r#"{"email":"[redacted]"}"#);

    let service = probe().env("APP__LOG__RESPONSE__BODY", "metadata").start();
    run(service.client(), json!([]), respond("text/plain", "text"));
    let record = record_of(service);
    assert_eq!((record["http.response.body.size"].as_u64(), record.get("http.response.body.content")), (Some(4), None));

    let service = probe().env("APP__LOG__RESPONSE__BODY", "off").start();
    run(service.client(), json!([]), json!({"error": "failed"}));
    let records = service.stop().records();
    assert_eq!((of_kind(&records, "response").len(), of_kind(&records, "uncaught").len()), (0, 1));
}

/// Begins a request on a connection of its own and reads its head.
fn begin(service: &Running, script: &Value, headers: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", service.port)).expect("the service listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket takes a timeout");
    let body = script.to_string();
    write!(stream, "POST /probe/run HTTP/1.1\r\nhost: x\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .expect("it is sent");
    BufReader::new(stream)
}

fn read_head(reader: &mut impl BufRead) {
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).expect("a head comes");
    }
}

#[test]
fn a_stream_is_passed_on_as_it_is_made() {
    for accepts in ["", "accept-encoding: gzip, br, zstd\r\n"] {
        let service = probe().start();
        // The second chunk is a minute away: the first comes before it, or this test does not end.
        let script = json!({"finish": {"stream": {"chunks": 2, "chunk": "data: first\n\n", "content_type": "text/event-stream", "interval_ms": 60_000}}});
        let mut reader = begin(&service, &script, accepts);
        read_head(&mut reader);
        let mut chunk = [0; 18];
        reader.read_exact(&mut chunk).expect("the first chunk comes");
        assert_eq!(&chunk, b"D\r\ndata: first\n\n\r\n");
        assert!(of_kind(&service.records(), "response").is_empty(), "its record waits for its end");
        drop(reader);
        let record = service.wait_record("the record of the client that left", |record| record["kind"] == "response");
        assert_eq!((&record["outcome"], &record["http.response.status_code"]), (&json!("aborted"), &json!(200)));
        assert_eq!(record["http.response.body.content"], "data: first\n\n");
        assert_eq!(record["level"], "info");
    }
}

#[test]
fn a_handler_left_by_its_client_is_recorded_as_aborted() {
    let service = probe().start();
    let script = json!({"steps": [{"do": "log", "level": "info", "message": "began"}, {"do": "sleep", "ms": 60_000}]});
    let reader = begin(&service, &script, "");
    service.wait_record("the handler", |record| record["message"] == "began");
    drop(reader);
    let record = service.wait_record("the record of the client that left", |record| record["kind"] == "response");
    assert_eq!((&record["outcome"], record.get("http.response.status_code")), (&json!("aborted"), None));
    assert_eq!((&record["level"], &record["blueprint"]), (&json!("info"), &json!("probe")));
    assert!(of_kind(&service.stop().records(), "uncaught").is_empty());
}

#[test]
fn compression_goes_on_around_the_record() {
    let service = probe().start();
    let body = json!({"text": "abc".repeat(2000)}).to_string();
    let script = json!({"finish": respond("application/json", &body)});
    let reply = service.post("/probe/run").header("accept-encoding", "gzip").json(&script).send();
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert!(reply.body.len() < body.len() / 10);
    let record = record_of(service);
    assert_eq!(record["http.response.body.content"], body.as_str(), "as it left the handler");
}

#[test]
fn compression_can_be_left_to_a_proxy() {
    let service = probe().env("APP__SERVER__COMPRESSION", "false").start();
    let body = json!({"text": "abc".repeat(2000)}).to_string();
    let script = json!({"finish": respond("application/json", &body)});
    let reply = service.post("/probe/run").header("accept-encoding", "gzip").json(&script).send();
    assert_eq!((reply.header("content-encoding"), reply.text()), (None, body.as_str()));
}
