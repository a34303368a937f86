//! An event that does not reach Sentry is not lost in silence: it is on stderr in full.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::ports;
use system_tests::service::Stopped;

use crate::support::{about, of_kind, probe, run};

/// A caught error with a breadcrumb against a Sentry at this port; gives what was written, and how long the stop took.
fn capture_against(port: u16, mode: &str) -> (Stopped, Duration) {
    let dsn = format!("http://0123456789abcdef0123456789abcdef@127.0.0.1:{port}/1");
    let service = probe().env("SENTRY_DSN", dsn).env("APP__LOG__MODE", mode).start();
    let steps = json!([{"do": "breadcrumb", "message": "left"}, {"do": "capture_exception", "message": "caught"}]);
    run(service.client(), steps, Value::Null);
    let began = Instant::now();
    (service.stop(), began.elapsed())
}

#[track_caller]
fn check_in_full(stopped: &Stopped, reason: &str) {
    let records = stopped.records();
    let lost: Vec<&Value> =
        of_kind(&records, "service").into_iter().filter(|record| record.get("event").is_some()).collect();
    assert_eq!(lost.len(), 1, "{}", stopped.stderr);
    assert_eq!(about(&lost[0]["event"]), "caught");
    assert_eq!(lost[0]["event"]["breadcrumbs"]["values"][0]["message"], "left");
    assert!(lost[0]["reason"].as_str().is_some_and(|said| said.contains(reason)), "{}", lost[0]["reason"]);
}

#[test]
fn nobody_listens() {
    for mode in ["both", "sentry"] {
        let (stopped, _) = capture_against(ports::free(), mode);
        check_in_full(&stopped, "");
    }
}

#[test]
fn sentry_refuses() {
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
        check_in_full(&stopped, reason);
    }
}

#[test]
fn sentry_accepts_and_never_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let (stopped, took) = capture_against(port, "both");
    check_in_full(&stopped, "stopped before delivery");
    assert!(took < Duration::from_secs(8), "the stop took {took:?}");
}

#[test]
fn off_never_touches_the_network() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    for mode in ["off", "stderr"] {
        capture_against(port, mode);
    }
    listener.set_nonblocking(true).expect("a listener can be asked");
    assert!(listener.accept().is_err(), "somebody came");
}
