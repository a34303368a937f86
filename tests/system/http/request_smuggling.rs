//! Request smuggling: a request that only pretends to upgrade must not consume the next request as its body.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::Value;
use system_tests::service::Running;

use crate::support::{of_kind, probe};

/// Sends raw bytes, and returns all responses until the service closes the connection.
fn exchange(service: &Running, bytes: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", service.port)).expect("the service listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket accepts a timeout");
    stream.write_all(bytes.as_bytes()).expect("the service reads the request");
    // Ends a body that is delimited by the connection. The service may have closed the connection during a long request.
    match stream.shutdown(Shutdown::Write) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotConnected => {}
        Err(error) => panic!("the connection cannot be shut down: {error}"),
    }
    let mut responses = Vec::new();
    match stream.read_to_end(&mut responses) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the service does not close the connection: {error}"),
    }
    String::from_utf8_lossy(&responses).into_owned()
}

fn echo(headers: &str) -> String {
    format!(
        "POST /probe/echo HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n{headers}\r\nhello"
    )
}

/// The next request, from another client, on a connection that a proxy shares.
const NEXT_REQUEST: &str =
    "GET /users/me HTTP/1.1\r\nhost: a\r\nauthorization: Bearer of-somebody-else\r\nconnection: close\r\n\r\n";

#[test]
fn a_fake_upgrade_does_not_swallow_the_next_request() {
    let service = probe().start();
    let both = exchange(&service, &(echo("") + NEXT_REQUEST));
    assert!(both.contains("hello") && both.contains("401 Unauthorized"), "{both}");
    for headers in [
        "upgrade: websocket\r\n",
        "upgrade: WebSocket\r\nconnection: keep-alive\r\n",
        "upgrade: websocket\r\nconnection: upgrade\r\n",
        "upgrade: h2c\r\nupgrade: websocket\r\n",
    ] {
        let answer = exchange(&service, &(echo(headers) + NEXT_REQUEST));
        assert!(!answer.contains("of-somebody-else"), "{headers}: {answer}");
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{headers}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{headers}: {answer}");
        assert!(answer.contains("\r\ncontent-type: application/problem+json\r\n"), "{headers}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{headers}: {answer}");
    }
    let records = service.stop().records();
    let refused = of_kind(&records, "response").into_iter().filter(|it| it["http.response.status_code"] == 400);
    let paths: Vec<&Value> = refused.map(|record| &record["url.path"]).collect();
    assert_eq!(paths, ["/probe/echo"; 4], "each rejection is recorded");
}

#[test]
fn parse_errors_have_no_body_and_close_the_connection() {
    let service = probe().start();
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx-long: {}\r\n\r\n", "a".repeat(200_000));
    for (status, bytes) in [
        ("400 Bad Request", "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"),
        ("400 Bad Request", "nonsense\r\n\r\n"),
        ("400 Bad Request", "GET / HTTP/1.1\r\n\r\n"),
        ("431 Request Header Fields Too Large", &long),
    ] {
        let answer = exchange(&service, &(bytes.to_owned() + NEXT_REQUEST));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    assert_eq!(of_kind(&service.stop().records(), "response").len(), 0);
}
