//! `app health`: the answer of the running service as an exit status.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::scratch::Scratch;
use system_tests::service::{Running, Service, Stopped};
use system_tests::{binaries, wait};

use crate::api::{Engine, on_each_database};
use crate::support::probe;

/// The command with the management port of a service.
fn health(port: u16, arguments: &[&str]) -> Service {
    let app = Service::new(&binaries::app()).arg("health").env("APP__MANAGEMENT__PORT", port.to_string());
    arguments.iter().fold(app, |app, argument| app.arg(*argument))
}

#[track_caller]
fn answer(service: &Running, arguments: &[&str]) -> (i32, String) {
    let Stopped { status, stdout, stderr } = health(service.management_port, arguments).run();
    assert_eq!((&*stderr, stdout.lines().count()), ("", 1), "one line: {stdout}");
    (status.code().expect("an exit status"), stdout.trim_end().to_owned())
}

fn a_healthy_service_is_live_and_ready(on: Engine) {
    let app = on.service(&binaries::app()).start();
    assert_eq!(answer(&app, &[]), (0, "ready".into()));
    assert_eq!(answer(&app, &["ready"]), (0, "ready".into()));
    assert_eq!(answer(&app, &["live"]), (0, "live".into()));
    let (code, json) = answer(&app, &["ready", "--json"]);
    let json: Value = serde_json::from_str(&json).expect("--json is JSON");
    assert_eq!((code, &json["healthy"], &json["http_status"]), (0, &json!(true), &json!(200)));
    assert_eq!(json["blueprints"], json!({"users": "ready", "orders": "ready"}));
    // `::` and `0.0.0.0` are no addresses to connect to.
    let everywhere = health(app.management_port, &[]).env("APP__MANAGEMENT__HOST", "0.0.0.0").run();
    assert_eq!(everywhere.code(), Some(0), "{}", everywhere.stdout);
}

on_each_database!(a_healthy_service_is_live_and_ready);

#[test]
fn the_socket_is_used_where_one_is_set() {
    let scratch = Scratch::new("health");
    let socket = scratch.join("management.sock");
    let app = Service::new(&binaries::app()).env("APP__MANAGEMENT__SOCKET", &socket).start();
    // A port where nothing listens.
    let over_socket = || health(1, &[]).env("APP__MANAGEMENT__SOCKET", &socket).run();
    assert_eq!((over_socket().code(), &*over_socket().stdout), (Some(0), "ready\n"));
    app.stop();
    // Another service has the port now: the request does not go there.
    let other = Service::new(&binaries::app()).start();
    let refused = health(other.management_port, &[]).env("APP__MANAGEMENT__SOCKET", &socket).run();
    assert_eq!(refused.code(), Some(1), "{}", refused.stdout);
    assert!(
        refused.stdout.starts_with(&format!("not ready: cannot reach the service at the socket {}", socket.display()))
    );
}

#[test]
fn a_service_that_stops_is_not_ready() {
    let app = probe().env("APP__SERVER__SHUTDOWN_TIMEOUT_S", "120").start();
    let management_port = app.management_port;
    let steps = json!({"steps": [{"do": "log", "level": "info", "message": "asleep"}, {"do": "sleep", "ms": 60_000}]});
    let _in_flight = app.post("/probe/run").json(&steps).dispatch().expect("the service accepts it");
    app.wait_record("the request to be in flight", |record| record["message"] == "asleep");
    app.signal("TERM");
    wait::until("the answer of a service that stops", Duration::from_secs(30), || {
        let Stopped { status, stdout, .. } = health(management_port, &[]).run();
        (status.code() == Some(1) && stdout == "not ready: stopping\n").then_some(())
    });
    assert_eq!(health(management_port, &["live"]).run().code(), Some(0), "it is live until it ends");
}

#[test]
fn no_service_and_a_silent_one_are_reported_within_the_limit() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("an address").port();
    let began = Instant::now();
    let stopped = health(port, &["live"]).run();
    assert_eq!(stopped.code(), Some(1));
    assert!(
        stopped.stdout.starts_with("not live: cannot reach the service at http://127.0.0.1:"),
        "{}",
        stopped.stdout
    );
    assert!(stopped.stdout.contains("no response within 5 s"), "{}", stopped.stdout);
    assert!(began.elapsed() < Duration::from_secs(30));
    drop(silent);
    let stopped = health(port, &[]).run();
    assert_eq!((stopped.code(), &*stopped.stderr), (Some(1), ""));
    assert!(stopped.stdout.contains("Connection refused"), "{}", stopped.stdout);
    let json = health(port, &["--json"]).run();
    let json: Value = serde_json::from_str(&json.stdout).expect("--json is JSON");
    assert!(json["healthy"] == false && json["error"].as_str().is_some_and(|why| why.contains("Connection refused")));
}

#[test]
fn another_program_on_the_port_is_not_the_service() {
    let app = Service::new(&binaries::app()).start();
    // The port of the API: 404, a problem document.
    let stopped = health(app.port, &[]).run();
    assert_eq!(stopped.code(), Some(1), "{}", stopped.stdout);
    assert_eq!(health(1, &["alive"]).run().code(), Some(2));
    assert_eq!(health(0, &[]).run().code(), Some(78), "a port that only the service knows");
}

#[test]
fn a_health_check_is_fast_and_opens_no_database() {
    let scratch = Scratch::new("health");
    let app = Service::new(&binaries::app()).start();
    let url = format!("sqlite://{}", scratch.join("other/app.db").display());
    let checked = || health(app.management_port, &[]).env("APP__DATABASE__URL", &url).run();
    let best = (0..5).map(|_| {
        let began = Instant::now();
        assert_eq!(checked().code(), Some(0));
        began.elapsed()
    });
    // About 20 ms; the start of the service takes far longer.
    let best = best.min().expect("five checks");
    assert!(best < Duration::from_millis(500), "{best:?}");
    assert_eq!(scratch.names(), [""; 0]);
}

#[test]
fn an_answer_that_cannot_be_written_is_no_good_answer() {
    let app = Service::new(&binaries::app()).start();
    let port = app.management_port.to_string();
    let command = || {
        let mut command = Command::new(binaries::app());
        command.arg("health").env("APP__MANAGEMENT__PORT", &port).stderr(Stdio::null());
        command
    };
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    assert_eq!(status(command().stdout(writer)), Some(0), "no one reads the line");
    let full = File::options().write(true).open("/dev/full").expect("/dev/full exists");
    assert_eq!(status(command().stdout(full)), Some(1), "the line cannot be written");
}

fn status(command: &mut Command) -> Option<i32> {
    command.status().expect("the command runs").code()
}
