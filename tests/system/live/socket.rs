//! The Unix socket of the management listener (`management.socket`).

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use system_tests::scratch::Scratch;

use super::{TOKEN, exists, level, service};

/// Sends a request over the socket; returns the status and the body.
#[track_caller]
fn send(socket: &Path, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = UnixStream::connect(socket).expect("the socket exists");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("the request can be sent");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("the response is text");
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn the_socket_owner_needs_no_token() {
    let scratch = Scratch::new("socket");
    let socket = scratch.join("app.sock");
    // Independent of the umask.
    let service = service().env("APP__MANAGEMENT__SOCKET", &socket).start();
    assert_eq!(socket.metadata().expect("the socket exists").permissions().mode() & 0o777, 0o600);
    assert_eq!(send(&socket, "GET", "/health/live", "").0, 200);
    assert_eq!(send(&socket, "GET", "/log", "").1["version"], 1);
    let (status, set) = send(&socket, "PUT", "/log/overrides/a", &level("debug", "1m").to_string());
    assert_eq!(status, 201);
    assert!(set["by"].as_str().is_some_and(|by| by.starts_with("uid ")), "{set}");
    // The same policy over TCP.
    assert_eq!(super::state(&service)["version"], 2);
    assert_eq!(send(&socket, "DELETE", "/log/overrides/a", "").0, 204);

    let stopped = service.stop();
    assert!(!exists(&socket), "the socket is removed at shutdown");
    let started = stopped.records().into_iter().find(|record| record.get("management_address").is_some());
    let address = started.expect("a start record")["management_address"].as_str().expect("a text").to_owned();
    assert!(!address.contains(','), "{address}");
}

#[test]
fn a_stale_socket_is_replaced() {
    let scratch = Scratch::new("socket");
    let socket = scratch.join("app.sock");
    let mut first = service().env("APP__MANAGEMENT__SOCKET", &socket).start();
    first.signal("KILL");
    first.wait_exit(Duration::from_secs(30));
    assert!(exists(&socket));
    let second = service().env("APP__MANAGEMENT__SOCKET", &socket).start();
    assert_eq!(send(&socket, "GET", "/log", "").0, 200);
    drop(second);
}

#[test]
fn a_socket_in_use_is_reported() {
    let scratch = Scratch::new("socket");
    let socket = scratch.join("app.sock");
    let _other = UnixListener::bind(&socket).expect("the scratch directory is writable");
    let stopped = service().env("APP__MANAGEMENT__SOCKET", &socket).run();
    assert_eq!(stopped.code(), Some(69), "{}", stopped.stderr);
    let expected = format!(
        "cannot listen on {} (management.socket): another process is listening on this socket",
        socket.display()
    );
    assert!(stopped.stderr.contains(&expected), "{}", stopped.stderr);
    assert!(exists(&socket), "the socket of the other process remains");
}

#[test]
fn the_command_uses_the_socket() {
    let scratch = Scratch::new("socket");
    let socket = scratch.join("app.sock");
    let service = service().env("APP__MANAGEMENT__SOCKET", &socket).start();
    let command = service.sibling().env("APP__MANAGEMENT__SOCKET", &socket).arg("log").arg("set");
    let set = ["--level", "debug", "--reason", "x"].iter().fold(command, |it, argument| it.arg(*argument)).run();
    assert_eq!((set.code(), &*set.stderr), (Some(0), ""));
    assert_eq!(super::state(&service)["overrides"][0]["id"], "x");
    assert!(!set.stdout.contains(TOKEN));
}
