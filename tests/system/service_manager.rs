//! What the service tells a service manager, message by message; tests/platform/systemd runs it under systemd.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Running;

use crate::support::probe;

const LIMIT: Duration = Duration::from_secs(30);
/// How long a worker is blocked.
const BLOCKED: Duration = Duration::from_secs(3);

/// The socket of a service manager.
struct Manager {
    socket: UnixDatagram,
    scratch: Scratch,
}

impl Manager {
    fn new() -> Self {
        let scratch = Scratch::new("manager");
        let socket = UnixDatagram::bind(scratch.join("notify")).expect("the directory is new");
        socket.set_read_timeout(Some(LIMIT)).expect("the time is not zero");
        Self { socket, scratch }
    }

    fn path(&self) -> std::path::PathBuf {
        self.scratch.join("notify")
    }

    /// The lines of the next message.
    #[track_caller]
    fn receive(&self) -> Vec<String> {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("a message of the service");
        let text = str::from_utf8(&message[..length]).expect("messages are text");
        text.lines().map(str::to_owned).collect()
    }

    /// The messages up to one with this line.
    #[track_caller]
    fn receive_until(&self, line: &str) -> Vec<Vec<String>> {
        let mut messages = vec![];
        loop {
            let message = self.receive();
            let is_last = message.iter().any(|it| it == line);
            messages.push(message);
            if is_last {
                return messages;
            }
        }
    }
}

fn write_level(service: &Running, level: &str) {
    scratch::make_dir(&service.scratch().join("config"));
    scratch::write(&service.scratch().join("config/default.toml"), format!("[log]\nlevel = \"{level}\"\n"));
}

#[test]
fn the_start_a_reload_and_the_stop_are_notified_in_order() {
    let manager = Manager::new();
    let service = probe().env("NOTIFY_SOCKET", manager.path()).start();
    let start = manager.receive_until("READY=1");
    assert_eq!(start[0], ["STATUS=opening the database"]);
    assert!(start.iter().any(|message| message == &["EXTEND_TIMEOUT_USEC=30000000"]), "{start:?}");
    assert!(start.iter().any(|message| message == &["STATUS=starting the blueprints"]), "{start:?}");
    let serving = format!("STATUS=serving on 127.0.0.1:{}", service.port);
    assert_eq!(start.last().expect("READY=1"), &["READY=1", &serving]);

    write_level(&service, "warning");
    service.signal("HUP");
    let reloading = manager.receive();
    assert_eq!(reloading[0], "RELOADING=1");
    let time = reloading[1].strip_prefix("MONOTONIC_USEC=").and_then(|time| time.parse::<u64>().ok());
    assert!(time.is_some_and(|time| time > 0), "{reloading:?}");
    assert_eq!(manager.receive(), ["READY=1", "STATUS=serving; the settings have been reloaded"]);

    write_level(&service, "loud");
    service.signal("HUP");
    assert_eq!(manager.receive()[0], "RELOADING=1");
    let refused = manager.receive();
    assert_eq!(refused.len(), 2, "an error of several lines is one line: {refused:?}");
    assert!(refused[1].starts_with("STATUS=serving; the reload was refused: "), "{refused:?}");

    let stopped = service.stop();
    assert_eq!(stopped.code(), Some(0));
    // 8 s of server.shutdown_timeout_s and 2 s to exit.
    assert_eq!(manager.receive(), ["STOPPING=1", "EXTEND_TIMEOUT_USEC=10000000", "STATUS=stopping on SIGTERM"]);
}

#[test]
fn a_reload_during_the_drain_is_not_notified() {
    let manager = Manager::new();
    let mut service = probe().env("NOTIFY_SOCKET", manager.path()).env("APP__SERVER__DRAIN_S", "3600").start();
    manager.receive_until("READY=1");
    service.signal("TERM");
    // 3600 s of server.drain_s, 8 s of server.shutdown_timeout_s and 2 s to exit.
    let stopping = ["STOPPING=1", "EXTEND_TIMEOUT_USEC=3610000000", "STATUS=stopping on SIGTERM"];
    assert_eq!(manager.receive(), stopping);
    write_level(&service, "warning");
    service.signal("HUP");
    service.wait_record("the reload", |record| record["change"]["action"] == "reloaded");
    service.signal("TERM");
    assert_eq!(service.wait_exit(LIMIT).code(), Some(1));
    manager.socket.set_nonblocking(true).expect("it is open");
    assert!(manager.socket.recv(&mut [0; 64]).is_err(), "a unit that stops is not ready again");
}

#[test]
fn the_watchdog_is_not_fed_while_a_worker_is_blocked() {
    let manager = Manager::new();
    let service = probe()
        .env("NOTIFY_SOCKET", manager.path())
        .env("WATCHDOG_USEC", "1000000")
        .env("APP__SERVER__WORKERS", "2")
        .start();
    manager.receive_until("READY=1");
    for _ in 0..3 {
        assert_eq!(manager.receive(), ["WATCHDOG=1"]);
    }
    let script = json!({"steps": [{"do": "block_worker", "ms": BLOCKED.as_millis()}]});
    let dispatched = Instant::now();
    let blocked = service.client().post("/probe/run").json(&script).dispatch().expect("it accepts");
    service.wait_record("a blocked worker", |record| {
        record["message"].as_str().is_some_and(|message| message.starts_with("1 worker does not respond for 0.5 s"))
    });
    // Feeds from before the worker was blocked.
    manager.socket.set_nonblocking(true).expect("it is open");
    while manager.socket.recv(&mut [0; 64]).is_ok() {}
    manager.socket.set_nonblocking(false).expect("it is open");
    assert_eq!(manager.receive(), ["WATCHDOG=1"]);
    assert!(dispatched.elapsed() >= BLOCKED, "fed after {:?}, while a worker was blocked", dispatched.elapsed());
    assert_eq!(blocked.receive().expect("a response").status, 204, "the feeds go on when the worker responds");
}

#[test]
fn sockets_and_a_watchdog_of_another_process_are_ignored() {
    let service = probe()
        .env("LISTEN_FDS", "1")
        .env("LISTEN_PID", "1")
        .env("WATCHDOG_USEC", "1000")
        .env("WATCHDOG_PID", "1")
        .env("NOTIFY_SOCKET", "/nonexistent/notify")
        .start();
    assert_eq!(service.get("/openapi.json").send().status, 200);
    let warning = service.wait_record("a warning", |record| {
        record["message"].as_str().is_some_and(|message| message.contains("does not accept notifications"))
    });
    assert_eq!(warning["level"], "warning");
    assert_eq!(service.stop().code(), Some(0));
}
