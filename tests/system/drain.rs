//! `server.drain_s`: a service that is about to stop still serves, while it reports that it is not ready.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::http::Client;
use system_tests::service::{Running, Service};
use system_tests::wait;

use crate::support::{of_kind, probe};

/// The time in which readiness must fail.
const NOTICE: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(20);

fn draining(seconds: u64) -> Service {
    probe().env("APP__SERVER__DRAIN_S", seconds.to_string())
}

/// A connection that its client would use again and again.
struct KeepAlive(BufReader<TcpStream>);

/// The head of an answer in lower case, and whether the server closed the connection after it.
struct Answer {
    head: String,
    is_last: bool,
}

impl KeepAlive {
    #[track_caller]
    fn connect(service: &Running) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", service.port)).expect("the service listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a socket accepts a timeout");
        Self(BufReader::new(stream))
    }

    #[track_caller]
    fn send(&mut self, request: &str) {
        self.0.get_mut().write_all(request.as_bytes()).expect("the connection is open");
    }

    /// Reads the head of one answer.
    #[track_caller]
    fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut head).expect("the service answers");
            assert_ne!(read, 0, "the connection ended within a head: {head}");
        }
        head.to_ascii_lowercase()
    }

    /// Reads one answer with the length of its body, which leaves the connection open.
    #[track_caller]
    fn first(&mut self, request: &str) -> String {
        self.send(request);
        let head = self.head();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.0.read_exact(&mut body).expect("the whole body");
        head
    }

    /// Reads one answer, and everything up to the end of the connection.
    #[track_caller]
    fn last(&mut self, request: &str) -> Answer {
        self.send(request);
        let head = self.head();
        let mut rest = vec![];
        let is_last = match self.0.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        };
        Answer { head, is_last }
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")
}

fn script(script: &Value) -> String {
    let body = script.to_string();
    let length = body.len();
    format!(
        "POST /probe/run HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// Sends a stop signal, and returns when it was sent.
fn stop(service: &Running) -> Instant {
    let sent = Instant::now();
    service.signal("TERM");
    sent
}

fn wait_not_ready(service: &Running) {
    let ready = service.management().get("/health/ready");
    wait::until("readiness to end", LIMIT, || ready.clone().try_send().ok().filter(|reply| reply.status == 503));
}

#[test]
fn a_draining_service_is_live_and_not_ready_and_serves() {
    let mut service = draining(2).start();
    let management = service.management();
    assert_eq!(management.get("/health/ready").send().status, 200);
    let signalled = stop(&service);
    // The time itself is promised.
    thread::sleep(NOTICE.saturating_sub(signalled.elapsed()));
    let ready = management.get("/health/ready").send();
    assert_eq!((ready.status, ready.json()), (503, json!({"status": "stopping"})));

    let mut served = 0;
    while signalled.elapsed() < Duration::from_millis(1800) {
        let reply = service.get("/users").send();
        assert_eq!((reply.status, reply.header("connection")), (401, Some("close")));
        assert_eq!(management.get("/health/live").send().status, 200);
        served += 1;
    }
    assert_eq!(service.wait_exit(LIMIT).code(), Some(0));
    assert!(signalled.elapsed() >= Duration::from_secs(2), "the drain always takes all of its time");
    let records = service.stop().records();
    assert_eq!(of_kind(&records, "response").len(), served, "each new connection was answered");
    let messages: Vec<&Value> = records.iter().filter(|it| it["kind"] == "service").map(|it| &it["message"]).collect();
    let announced = json!("stopping on SIGTERM after a drain of 2 s (server.drain_s)");
    assert_eq!(messages[1..], [&announced, &json!("stopped")]);
}

#[test]
fn each_answer_during_the_drain_closes_its_connection() {
    let mut service = draining(5)
        .env("APP__SERVER__HANDLER_TIMEOUT_S", "1")
        .env("APP__SERVER__RATE_LIMIT__REQUESTS", "60")
        .env("APP__SERVER__RATE_LIMIT__WINDOW_S", "3600")
        .start();
    let stream = json!({"finish": {"stream": {"chunks": 3, "chunk": "x", "interval_ms": 50}}});
    let slow = json!({"steps": [{"do": "sleep", "ms": 60_000}]});
    let cases = [
        ("204", script(&json!({}))),
        ("200", script(&stream)),
        ("401", get("/users")),
        ("404", get("/nowhere")),
        ("405", "BREW /users HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("415", "POST /users HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx".to_owned()),
        ("500", script(&json!({"finish": {"error": "failed"}}))),
        ("500", script(&json!({"finish": {"panic": "failed"}}))),
        ("503", script(&slow)),
    ];
    // Open and in use before the signal.
    let open = |_| {
        let mut connection = KeepAlive::connect(&service);
        let head = connection.first(&get("/users"));
        assert!(!head.contains("connection: close"), "{head}");
        connection
    };
    let mut connections: Vec<KeepAlive> = cases.iter().map(open).collect();
    let [mut unparsed, mut limited] = [open(&cases[0]), open(&cases[0])];
    // Its head is written before the signal: it goes on.
    let mut begun = KeepAlive::connect(&service);
    begun.send(&script(&json!({"finish": {"stream": {"chunks": 20, "chunk": "y", "interval_ms": 50}}})));
    assert!(!begun.head().contains("connection: close"));

    stop(&service);
    wait_not_ready(&service);
    for ((status, request), connection) in cases.iter().zip(&mut connections) {
        let answer = connection.last(request);
        assert!(answer.head.starts_with(&format!("http/1.1 {status}")), "{status}: {}", answer.head);
        assert!(answer.head.contains("\r\nconnection: close\r\n") && answer.is_last, "{status}: {}", answer.head);
    }
    // actix-http answers these without any layer of the service: it closes the connection, and announces it only on one that was
    // not used before.
    let answer = unparsed.last("nonsense\r\n\r\n");
    assert!(answer.head.starts_with("http/1.1 400") && answer.is_last, "{}", answer.head);
    let answer = KeepAlive::connect(&service).last("nonsense\r\n\r\n");
    assert!(answer.head.starts_with("http/1.1 400") && answer.head.contains("\r\nconnection: close\r\n"));
    while service.get("/users").send().status != 429 {}
    let answer = limited.last(&get("/users"));
    assert!(answer.head.starts_with("http/1.1 429") && answer.head.contains("\r\nconnection: close\r\n"));
    let mut rest = String::new();
    begun.0.read_to_string(&mut rest).expect("the stream ends");
    assert_eq!(rest.matches('y').count(), 20, "{rest}");
    assert_eq!(service.wait_exit(LIMIT).code(), Some(0));
}

#[test]
fn the_listener_closes_while_requests_finish() {
    for drain in [0, 1] {
        let mut service = draining(drain).start();
        let began = Instant::now();
        let slow = json!({"steps": [{"do": "log", "level": "info", "message": "began"}, {"do": "sleep", "ms": 3000}]});
        let slow = service.post("/probe/run").json(&slow).dispatch().expect("the service listens");
        service.wait_record("the slow request", |record| record["message"] == "began");
        let signalled = stop(&service);
        wait::until("the listener to close", LIMIT, || {
            let refused = TcpStream::connect(("127.0.0.1", service.port)).err()?;
            (refused.kind() == ErrorKind::ConnectionRefused).then_some(())
        });
        assert!(signalled.elapsed() >= Duration::from_secs(drain), "it closes after the drain");
        assert!(began.elapsed() < Duration::from_secs(3), "it closes before the request ends");
        assert_eq!(slow.receive().expect("an answer").status, 204);
        assert_eq!(service.wait_exit(LIMIT).code(), Some(0));
    }
}

#[test]
fn a_second_stop_signal_ends_the_drain_and_other_signals_do_not() {
    for second in ["TERM", "INT", "QUIT"] {
        let mut service = draining(600).start();
        service.signal("QUIT");
        wait_not_ready(&service);
        for (signal, is_it) in [
            ("HUP", (|record: &Value| record["change"]["action"] == "reloaded") as fn(&Value) -> bool),
            ("USR1", |record| record["signal"] == "SIGUSR1"),
            ("USR2", |record| record["signal"] == "SIGUSR2"),
        ] {
            service.signal(signal);
            service.wait_record(signal, is_it);
        }
        assert_eq!(service.get("/users").send().status, 401, "it still serves");
        let signalled = Instant::now();
        service.signal(second);
        assert_eq!(service.wait_exit(LIMIT).code(), Some(1));
        assert!(signalled.elapsed() < Duration::from_secs(2), "{:?}", signalled.elapsed());
        let records = service.stop().records();
        let last = records.last().expect("records");
        assert_eq!(last["message"], format!("ended by SIG{second} during the shutdown"));
    }
}

#[test]
fn the_stop_takes_at_most_drain_and_timeout() {
    let mut service = draining(1).env("APP__SERVER__SHUTDOWN_TIMEOUT_S", "3").start();
    let steps = json!([{"do": "log", "level": "info", "message": "began"}, {"do": "sleep", "ms": 600_000}]);
    let endless = service.post("/probe/run").json(&json!({ "steps": steps })).dispatch().expect("the service listens");
    service.wait_record("the endless request", |record| record["message"] == "began");
    let signalled = stop(&service);
    assert_eq!(service.wait_exit(LIMIT).code(), Some(0));
    let took = signalled.elapsed();
    assert!(took < Duration::from_millis(4500) && took > Duration::from_secs(2), "{took:?}");
    assert!(endless.receive().is_err(), "the connection was cut");
    assert_eq!(of_kind(&service.stop().records(), "response")[0]["outcome"], "aborted");
}

/// The flush of a sink that is stalled takes all the time that is left.
#[test]
fn health_is_answered_until_the_process_ends() {
    let (_reader, stalled) = std::io::pipe().expect("a pipe");
    let mut service = draining(0).env("APP__SERVER__SHUTDOWN_TIMEOUT_S", "4").stderr(stalled.into()).start();
    let line = json!({"do": "log", "level": "info", "message": "x".repeat(4000)});
    let filling = json!({"steps": vec![line; 40]});
    assert_eq!(service.post("/probe/run").json(&filling).send().status, 204);
    let management = Client::new(service.management_port);
    stop(&service);
    wait_not_ready(&service);
    let mut last_answer = Instant::now();
    let ended = wait::until("the end", LIMIT, || {
        match management.get("/health/live").try_send() {
            Ok(reply) if reply.status == 200 => last_answer = Instant::now(),
            _ => {}
        }
        service.exited().map(|_| Instant::now())
    });
    let silent = ended.saturating_duration_since(last_answer);
    assert!(silent < Duration::from_millis(500), "no answer for the last {silent:?}");
}

#[test]
fn a_fault_ends_the_service_without_a_drain() {
    let began = Instant::now();
    let service = draining(600).env("PROBE_FAULT", "worker panic").env("APP__SERVER__WORKERS", "1").run();
    assert_eq!(service.code(), Some(70), "{}", service.stderr);
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_start_that_is_stopped_does_not_drain() {
    let mut service = draining(600).env("PROBE_FAULT", "start hangs").spawn_starting();
    service.wait_record("the start", |record| record["message"] == "captured during the start");
    service.signal("TERM");
    assert_eq!(service.wait_exit(LIMIT).code(), Some(0));
}
