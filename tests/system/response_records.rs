//! Response records: for every kind of response, without buffering it, and without secrets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::service::Running;

use crate::support::{of_kind, probe, run};

fn respond(content_type: &str, body: &str) -> Value {
    json!({"respond": {"status": 200, "content_type": content_type, "body": body}})
}

/// The record of the only response of this service.
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
    assert_eq!(reply.text(), body, "the response is unchanged");
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
fn long_bodies_are_truncated_after_redaction() {
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
fn secrets_in_malformed_json_are_redacted_in_place() {
    let service = probe().start();
    run(service.client(), json!([]), respond("application/json", r#"{"password" "t0psecret"}"#));
    let record = record_of(service);
    assert_eq!(record["http.response.body.content"], r#"{"password" "[redacted]"}"#);
}

#[test]
fn binary_bodies_are_logged_by_size_only() {
    let service = probe().start();
    run(service.client(), json!([]), respond("application/octet-stream", "0101"));
    let record = record_of(service);
    assert_eq!((record["http.response.body.size"].as_u64(), record.get("http.response.body.content")), (Some(4), None));
}

#[test]
fn redacted_keys_and_body_logging_are_configurable() {
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

/// Sends a request on a new connection, and returns a reader of the response.
fn open(service: &Running, script: &Value, headers: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", service.port)).expect("the service listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket accepts a timeout");
    let body = script.to_string();
    write!(stream, "POST /probe/run HTTP/1.1\r\nhost: x\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .expect("the request is sent");
    BufReader::new(stream)
}

fn read_head(reader: &mut impl BufRead) {
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).expect("the response has a head");
    }
}

#[test]
fn streams_are_passed_through_unbuffered() {
    for accepts in ["", "accept-encoding: gzip, br, zstd\r\n"] {
        let service = probe().start();
        // The second chunk follows after a minute: a read of the first one times out if the stream is buffered.
        let script = json!({"finish": {"stream": {"chunks": 2, "chunk": "data: first\n\n", "content_type": "text/event-stream", "interval_ms": 60_000}}});
        let mut reader = open(&service, &script, accepts);
        read_head(&mut reader);
        let mut chunk = [0; 18];
        reader.read_exact(&mut chunk).expect("the first chunk arrives");
        assert_eq!(&chunk, b"D\r\ndata: first\n\n\r\n");
        assert!(of_kind(&service.records(), "response").is_empty(), "the record is written at the end");
        drop(reader);
        let record =
            service.wait_record("the record of the disconnected client", |record| record["kind"] == "response");
        assert_eq!((&record["outcome"], &record["http.response.status_code"]), (&json!("aborted"), &json!(200)));
        assert_eq!(record["http.response.body.content"], "data: first\n\n");
        assert_eq!(record["level"], "info");
    }
}

#[test]
fn a_client_disconnect_is_logged_as_aborted() {
    let service = probe().start();
    let script = json!({"steps": [{"do": "log", "level": "info", "message": "began"}, {"do": "sleep", "ms": 60_000}]});
    let reader = open(&service, &script, "");
    service.wait_record("the handler", |record| record["message"] == "began");
    drop(reader);
    let record = service.wait_record("the record of the disconnected client", |record| record["kind"] == "response");
    assert_eq!((&record["outcome"], record.get("http.response.status_code")), (&json!("aborted"), None));
    assert_eq!((&record["level"], &record["blueprint"]), (&json!("info"), &json!("probe")));
    assert!(of_kind(&service.stop().records(), "uncaught").is_empty());
}

#[test]
fn compressed_responses_are_logged_uncompressed() {
    let service = probe().start();
    let body = json!({"text": "abc".repeat(2000)}).to_string();
    let script = json!({"finish": respond("application/json", &body)});
    let reply = service.post("/probe/run").header("accept-encoding", "gzip").json(&script).send();
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert!(reply.body.len() < body.len() / 10);
    let record = record_of(service);
    assert_eq!(record["http.response.body.content"], body.as_str(), "the content before compression");
}

#[test]
fn compression_can_be_disabled() {
    let service = probe().env("APP__SERVER__COMPRESSION", "false").start();
    let body = json!({"text": "abc".repeat(2000)}).to_string();
    let script = json!({"finish": respond("application/json", &body)});
    let reply = service.post("/probe/run").header("accept-encoding", "gzip").json(&script).send();
    assert_eq!((reply.header("content-encoding"), reply.text()), (None, body.as_str()));
}
