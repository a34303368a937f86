//! An event that cannot be delivered to Sentry is written to stderr in full.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::ports;
use system_tests::service::Stopped;

use crate::support::{event_message, of_kind, probe, run};

/// Captures an error with a breadcrumb, with Sentry at this port; returns the output and the duration of the shutdown.
fn capture_against(port: u16, mode: &str) -> (Stopped, Duration) {
    let dsn = format!("http://0123456789abcdef0123456789abcdef@127.0.0.1:{port}/1");
    let service = probe().env("SENTRY_DSN", dsn).env("APP__LOG__MODE", mode).start();
    let steps = json!([{"do": "breadcrumb", "message": "left"}, {"do": "capture_exception", "message": "caught"}]);
    run(service.client(), steps, Value::Null);
    let began = Instant::now();
    (service.stop(), began.elapsed())
}

#[track_caller]
fn check_full_event(stopped: &Stopped, reason: &str) {
    let records = stopped.records();
    let lost: Vec<&Value> =
        of_kind(&records, "service").into_iter().filter(|record| record.get("event").is_some()).collect();
    assert_eq!(lost.len(), 1, "{}", stopped.stderr);
    assert_eq!(event_message(&lost[0]["event"]), "caught");
    assert_eq!(lost[0]["event"]["breadcrumbs"]["values"][0]["message"], "left");
    assert!(lost[0]["reason"].as_str().is_some_and(|text| text.contains(reason)), "{}", lost[0]["reason"]);
}

#[test]
fn a_refused_connection_writes_the_event_to_stderr() {
    for mode in ["both", "sentry"] {
        let (stopped, _) = capture_against(ports::free(), mode);
        check_full_event(&stopped, "");
    }
}

#[test]
fn a_rejected_event_is_written_to_stderr() {
    for (answer, reason) in
        [("403 Forbidden", "403"), ("429 Too Many Requests\r\nretry-after: 18446744073709551615", "429")]
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = [0; 65536];
                let _ = stream.read(&mut request);
                let _ = write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
        let (stopped, _) = capture_against(port, "both");
        check_full_event(&stopped, reason);
    }
}

#[test]
fn an_unanswered_event_is_written_to_stderr() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let (stopped, took) = capture_against(port, "both");
    check_full_event(&stopped, "stopped before delivery");
    assert!(took < Duration::from_secs(8), "shutdown took {took:?}");
}

#[test]
fn modes_without_sentry_never_connect() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    for mode in ["off", "stderr"] {
        capture_against(port, mode);
    }
    listener.set_nonblocking(true).expect("a listener can be non-blocking");
    assert!(listener.accept().is_err(), "there was a connection");
}
