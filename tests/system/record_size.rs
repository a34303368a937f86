//! No line on stderr is longer than `log.max_line_bytes`, whatever a client sends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::ports;
use system_tests::service::{Running, Stopped};

use crate::support::{event_message, of_kind, probe, run};

const MAX_LINE_BYTES: usize = 16_000;
/// Each of these six characters needs more bytes in JSON than in UTF-8.
const HOSTILE: &str = "\u{1}\"\\\u{2028}\u{9b}😀";

/// Sends a GET request without any encoding, and reads the response to the end.
fn get(service: &Running, target: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", service.port)).expect("the service listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket accepts a timeout");
    write!(stream, "GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n").expect("it is sent");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("the service responds");
    response
}

#[track_caller]
fn assert_bounded(stopped: &Stopped, max: usize) {
    let longest = stopped.stderr.split_inclusive('\n').max_by_key(|line| line.len()).unwrap_or_default();
    let begin = &longest[..longest.floor_char_boundary(400)];
    assert!(longest.len() <= max, "a line of {} bytes: {begin}", longest.len());
    let is_complete =
        |record: &Value| ["timestamp", "level", "kind", "message", "target"].iter().all(|key| record[key].is_string());
    assert!(stopped.records().iter().all(is_complete), "{}", stopped.stderr);
}

fn truncated(record: &Value) -> Vec<&str> {
    record["truncated"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn a_long_user_agent_cannot_forge_a_journal_entry() {
    let service = probe().start();
    let agent = format!("{}<2>Nov 26 12:00:00 db01 sshd[1]: root logged in", "A".repeat(48_338));
    let response = get(&service, "/probe", &format!("user-agent: {agent}\r\n"));
    assert!(response.starts_with("HTTP/1.1 404"), "{response}");
    let stopped = service.stop();
    assert_bounded(&stopped, MAX_LINE_BYTES);
    assert!(!stopped.stderr.contains("sshd"), "the text is cut before the forged entry");
    let records = stopped.records();
    let record = of_kind(&records, "response")[0];
    assert_eq!(record["user_agent.original"].as_str().map(str::len), Some(512));
    assert_eq!(truncated(record), ["user_agent.original"]);
}

#[test]
fn a_long_path_and_query_are_cut_and_named() {
    let service = probe().start();
    get(&service, &format!("/{}?q={}", "p".repeat(40_000), "q".repeat(20_000)), "");
    get(&service, &format!("/probe?token={}", "t0psecret".repeat(1000)), "");
    let stopped = service.stop();
    assert_bounded(&stopped, MAX_LINE_BYTES);
    let records = stopped.records();
    let [long, secret] = of_kind(&records, "response")[..] else { panic!("two responses: {}", stopped.stderr) };
    let length = |key: &str| long[key].as_str().map(str::len);
    assert_eq!((length("url.path"), length("url.query")), (Some(2048), Some(2048)));
    assert_eq!(truncated(long), ["url.path", "url.query"]);
    assert!(length("message").is_some_and(|length| length < 2100), "the message has the cut path");
    assert_eq!(secret["url.query"], "token=[redacted]", "redaction precedes the cut");
    assert_eq!(truncated(secret), [""; 0]);
}

#[test]
fn the_client_text_limits_are_settings() {
    let service = probe().env("APP__LOG__MAX_PATH_BYTES", "64").env("APP__LOG__MAX_HEADER_BYTES", "16").start();
    get(&service, &format!("/{}", "p".repeat(100)), &format!("user-agent: {}\r\n", "ä".repeat(17)));
    let records = service.stop().records();
    let record = of_kind(&records, "response")[0];
    assert_eq!(record["url.path"].as_str().map(str::len), Some(64));
    assert_eq!(record["user_agent.original"], "ä".repeat(8));
}

#[test]
fn records_of_every_kind_are_bounded() {
    let long = HOSTILE.repeat(700);
    let steps = json!([
        {"do": "log", "level": "info", "message": long},
        {"do": "log", "level": "error", "message": long, "error": long},
        {"do": "breadcrumb", "message": long, "category": long, "data": {"short": 1, "long": long, "list": [long, long]}},
        {"do": "capture_event", "message": long},
        {"do": "capture_exception", "message": format!("caught {long}"), "cause": format!("because {long}")},
    ]);
    for max in [MAX_LINE_BYTES, 2048] {
        for (format, ascii) in [("json", "false"), ("json", "true"), ("pretty", "false")] {
            let service = probe()
                .env("APP__LOG__MAX_LINE_BYTES", max.to_string())
                .env("APP__LOG__FORMAT", format)
                .env("APP__LOG__ASCII", ascii)
                .env("APP__LOG__REQUEST__BODY", "redacted")
                .start();
            for finish in [
                json!({"respond": {"status": 200, "content_type": "application/json", "body": json!([long]).to_string()}}),
                json!({"error": format!("returned {long}"), "cause": long}),
                json!({"panic": long}),
            ] {
                run(service.client(), steps.clone(), finish);
            }
            let stopped = service.stop();
            let longest = stopped.stderr.split_inclusive('\n').map(str::len).max();
            assert!(longest <= Some(max), "{format} {ascii}: {longest:?}");
            assert!(ascii == "false" || stopped.stderr.is_ascii());
            if format == "json" {
                assert_bounded(&stopped, max);
                let records = stopped.records();
                let of = |kind| of_kind(&records, kind).into_iter().map(truncated).collect::<Vec<_>>();
                assert_eq!(of("line")[0], ["message"]);
                assert_eq!(of("breadcrumb")[0][0], "data", "data is cut first");
                assert!(of("exception")[0].contains(&"exception.chain"));
            }
        }
    }
}

#[test]
fn bodies_are_cut_first() {
    let body = json!({"text": "\"".repeat(8000)}).to_string();
    let service = probe().env("APP__LOG__REQUEST__BODY", "redacted").start();
    service.post("/probe/echo").body("application/json", body.as_bytes()).send();
    let stopped = service.stop();
    assert_bounded(&stopped, MAX_LINE_BYTES);
    let records = stopped.records();
    let record = of_kind(&records, "response")[0];
    let [request, response] = ["request", "response"].map(|of| {
        assert_eq!(record[format!("http.{of}.body.truncated")], true);
        record[format!("http.{of}.body.content")].as_str().map_or(0, str::len)
    });
    assert!(request < response, "the request's body is cut first: {request} and {response} bytes");
    assert_eq!(truncated(record), [""; 0], "a body's cut has its own key");
}

#[test]
fn an_undelivered_event_is_written_in_parts() {
    let dsn = format!("http://0123456789abcdef0123456789abcdef@127.0.0.1:{}/1", ports::free());
    for ascii in ["false", "true"] {
        let service = probe().env("SENTRY_DSN", &dsn).env("APP__LOG__ASCII", ascii).start();
        let message = HOSTILE.repeat(5000);
        let steps = json!([{"do": "breadcrumb", "message": "left"}, {"do": "capture_exception", "message": message}]);
        run(service.client(), steps, Value::Null);
        let stopped = service.stop();
        assert_bounded(&stopped, MAX_LINE_BYTES);
        let records = stopped.records();
        let parts: Vec<&Value> = records.iter().filter(|record| record["event_part"].is_string()).collect();
        assert!(parts.len() > 1, "{} parts", parts.len());
        for (at, part) in parts.iter().enumerate() {
            assert_eq!((&part["part"], &part["parts"]), (&json!(at + 1), &json!(parts.len())));
            assert_eq!((&part["level"], &part["kind"]), (&json!("error"), &json!("service")));
        }
        let text: String = parts.iter().filter_map(|part| part["event_part"].as_str()).collect();
        let event: Value = serde_json::from_str(&text).expect("the joined parts are JSON");
        assert_eq!(event_message(&event), message);
        assert_eq!(event["event_id"], parts[0]["event_id"]);
        assert_eq!(event["breadcrumbs"]["values"][0]["message"], "left");
    }
}

#[test]
fn lost_parts_of_an_event_are_counted() {
    let dsn = format!("http://0123456789abcdef0123456789abcdef@127.0.0.1:{}/1", ports::free());
    let service = probe().env("SENTRY_DSN", &dsn).env("APP__LOG__STDERR__QUEUE_BYTES", "65536").start();
    // Of each character, three bytes become six.
    let steps = json!([{"do": "capture_exception", "message": "\u{2028}".repeat(60_000)}]);
    run(service.client(), steps, Value::Null);
    let stopped = service.stop();
    assert_bounded(&stopped, MAX_LINE_BYTES);
    let records = stopped.records();
    let delivered: Vec<&Value> = records.iter().filter(|record| record["event_part"].is_string()).collect();
    let dropped: u64 = records.iter().filter_map(|record| record["dropped"]["service"].as_u64()).sum();
    let parts = delivered[0]["parts"].as_u64().expect("a part has the number of parts");
    assert!(parts > 20, "{parts}");
    assert_eq!(delivered.len() as u64 + dropped, parts);
}

#[test]
fn limits_that_do_not_fit_are_named_at_the_start() {
    let service = probe().env("APP__LOG__RESPONSE__MAX_BYTES", "16000").start();
    let start = service.wait_record("the start", |record| record.get("warnings").is_some());
    let warning =
        "log.response.max_bytes (16000) does not fit in log.max_line_bytes (16000): longer content is truncated";
    assert_eq!((&start["level"], &start["warnings"]), (&json!("warning"), &json!([warning])));
}
