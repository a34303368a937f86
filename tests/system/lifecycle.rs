//! Startup and shutdown.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;
use system_tests::scratch::{self, Scratch};
use system_tests::service::{Running, Stopped};
use system_tests::{binaries, process_guard, wait};

use crate::supervised::Supervised;
use crate::support::{event_message, of_kind, probe, probe_with, run};

/// Starts a request that logs `began` and then sleeps.
fn slow(service: &Running, ms: u64) -> thread::JoinHandle<std::io::Result<u16>> {
    let script = json!({"steps": [{"do": "log", "level": "info", "message": "began"}, {"do": "sleep", "ms": ms}]});
    let request = service.post("/probe/run").json(&script);
    let sent = thread::spawn(move || request.try_send().map(|reply| reply.status));
    service.wait_record("the slow request", |record| record["message"] == "began");
    sent
}

#[test]
fn the_start_record_describes_the_service() {
    let service = probe().start();
    let records = service.records();
    let start = &records[0];
    assert_eq!((&start["kind"], &start["level"]), (&json!("service"), &json!("info")));
    assert_eq!(start["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(start["address"], format!("127.0.0.1:{}", service.port));
    let blueprints = start["blueprints"].as_array().expect("a list");
    assert!(["users", "orders", "probe"].iter().all(|name| blueprints.contains(&json!(name))), "{blueprints:?}");
    assert_eq!((&start["database"], &start["mode"]), (&json!("sqlite"), &json!("both")));
    assert_eq!((&start["sinks"], &start["sentry"]), (&json!(["stderr"]), &json!("no DSN is set")));

    let project = Bugsink::shared().project();
    let with_sentry = probe_with(&project).start();
    assert_eq!(with_sentry.records()[0]["sinks"], json!(["stderr", "sentry"]));
}

#[test]
fn a_signal_lets_in_flight_requests_finish() {
    for signal in ["TERM", "INT", "QUIT"] {
        let project = Bugsink::shared().project();
        let mut service = probe_with(&project).start();
        let in_flight = slow(&service, 700);
        run(service.client(), json!([{"do": "capture_exception", "message": "just before the end"}]), Value::Null);
        service.signal(signal);
        let status = service.wait_exit(Duration::from_secs(8));
        assert_eq!(status.code(), Some(0), "on {signal}");
        assert_eq!(in_flight.join().expect("the client does not panic").expect("there is a response"), 204);
        let records = service.stop().records();
        assert_eq!(of_kind(&records, "response").len(), 2);
        assert_eq!(records.last().expect("records")["message"], "stopped");
        assert_eq!(project.events().iter().map(event_message).collect::<Vec<_>>(), ["just before the end"]);
    }
}

#[test]
fn shutdown_is_bounded() {
    let mut service = probe().env("APP__SERVER__SHUTDOWN_TIMEOUT_S", "3").start();
    let endless = slow(&service, 600_000);
    let began = Instant::now();
    service.signal("TERM");
    assert_eq!(service.wait_exit(Duration::from_secs(10)).code(), Some(0));
    assert!(began.elapsed() < Duration::from_millis(3500), "shutdown took {:?}", began.elapsed());
    assert!(endless.join().expect("the client does not panic").is_err(), "the connection was cut");
    let records = service.stop().records();
    assert_eq!(of_kind(&records, "response")[0]["outcome"], "aborted");
}

#[test]
fn a_blocked_worker_does_not_delay_the_shutdown() {
    let project = Bugsink::shared().project();
    let mut service =
        probe_with(&project).env("APP__SERVER__WORKERS", "2").env("APP__SERVER__SHUTDOWN_TIMEOUT_S", "4").start();
    let steps = json!([
        {"do": "capture_exception", "message": "before the block"},
        {"do": "log", "level": "info", "message": "began"},
        {"do": "block_worker", "ms": 600_000},
    ]);
    let _blocked = service.client().post("/probe/run").json(&json!({"steps": steps})).dispatch().expect("it accepts");
    service.wait_record("the blocking request", |record| record["message"] == "began");
    let began = Instant::now();
    service.signal("TERM");
    assert_eq!(service.wait_exit(Duration::from_secs(20)).code(), Some(0));
    assert!(began.elapsed() < Duration::from_millis(4500), "shutdown took {:?}", began.elapsed());
    let records = service.stop().records();
    let warning = records.iter().find(|record| record["blocked_workers"] == 1).expect("a record of the blocked worker");
    let message = "1 worker is blocked and did not stop: requests on it end with the process";
    assert_eq!((&warning["level"], &warning["message"]), (&json!("warning"), &json!(message)));
    assert_eq!(records.last().expect("records")["message"], "stopped");
    assert_eq!(project.events().iter().map(event_message).collect::<Vec<_>>(), ["before the block"]);
}

#[test]
fn a_connection_during_the_stop_is_served_or_refused() {
    const CLIENTS: usize = 16;
    let mut service = probe().start();
    let port = service.port;
    // Each client opens one connection after the other, and returns what ended the last one.
    let until_refused = move || loop {
        let mut stream = match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => stream,
            Err(error) => return error.kind(),
        };
        let sent = stream.write_all(b"GET /openapi.json HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let mut answer = Vec::new();
        match sent.and_then(|()| stream.read_to_end(&mut answer)) {
            Ok(_) if answer.starts_with(b"HTTP/1.1 200") => {}
            Ok(_) => return ErrorKind::UnexpectedEof,
            Err(error) => return error.kind(),
        }
    };
    let clients: Vec<_> = (0..CLIENTS).map(|_| thread::spawn(until_refused)).collect();
    let answered = |record: &Value| record["kind"] == "response";
    wait::until("requests", Duration::from_secs(20), || service.records().iter().any(answered).then_some(()));
    service.signal("TERM");
    let ends: Vec<ErrorKind> = clients.into_iter().map(|client| client.join().expect("it does not panic")).collect();
    assert_eq!(service.wait_exit(Duration::from_secs(20)).code(), Some(0));
    // The system may have accepted a connection in the moment in which the socket is closed.
    let refused = ends.iter().filter(|end| **end == ErrorKind::ConnectionRefused).count();
    assert!(refused >= CLIENTS - 2, "{ends:?}");
    let records = service.stop().records();
    let errors: Vec<_> = records.iter().filter(|record| record["level"] == "error").collect();
    assert_eq!(errors, [] as [&Value; 0]);
}

#[test]
fn a_clean_shutdown_logs_two_records() {
    for _ in 0..10 {
        let records = probe().start().stop().records();
        let messages: Vec<_> = records.iter().skip(1).map(|record| &record["message"]).collect();
        assert_eq!(messages, [&json!("stopping on SIGTERM"), &json!("stopped")]);
    }
}

#[test]
fn a_second_signal_exits_immediately() {
    let mut service = probe().start();
    let endless = slow(&service, 600_000);
    service.signal("TERM");
    service.wait_record("the stop", |record| record["message"] == "stopping on SIGTERM");
    service.signal("INT");
    assert_eq!(service.wait_exit(Duration::from_secs(2)).code(), Some(1));
    drop(endless.join());
    let records = service.stop().records();
    let last = records.last().expect("records");
    assert_eq!((&last["signal"], &last["level"]), (&json!("SIGINT"), &json!("warning")), "{last}");
}

#[test]
fn other_signals_end_neither_the_service_nor_its_requests() {
    let mut service = probe().start();
    let in_flight = slow(&service, 1000);
    for signal in ["USR1", "USR2"] {
        service.signal(signal);
        let name = format!("SIG{signal}");
        let record = service.wait_record(&name, |record| record["signal"] == *name);
        assert_eq!((&record["kind"], &record["level"]), (&json!("service"), &json!("info")));
    }
    service.signal("XFSZ");
    service.signal("PIPE");
    service.signal("TERM");
    // These do not end the process at once, as a second stop signal does.
    ["HUP", "USR1", "USR2"].iter().for_each(|signal| service.signal(signal));
    assert_eq!(in_flight.join().expect("the client does not panic").expect("there is a response"), 204);
    assert_eq!(service.wait_exit(Duration::from_secs(8)).code(), Some(0));
}

#[test]
fn a_signal_during_startup_is_recorded() {
    let scratch = Scratch::new("locked");
    let path = scratch.join("held.db");
    let mut holder = hold_lock(&path);
    let mut service = probe().env("APP__DATABASE__URL", format!("sqlite://{}", path.display())).spawn_starting();
    // Until the handlers are installed, any signal would end the process: the first effect shows that they are.
    service.wait_signal_handlers();
    for signal in ["USR1", "USR2", "HUP"] {
        service.signal(signal);
    }
    service.wait_record("SIGUSR2", |record| record["signal"] == "SIGUSR2");
    service.signal("QUIT");
    assert_eq!(service.wait_exit(Duration::from_secs(4)).code(), Some(0));
    release_lock(&mut holder);
    let records = service.stop().records();
    let messages: Vec<&Value> = records.iter().map(|record| &record["message"]).collect();
    assert!(messages.ends_with(&[&json!("stopping on SIGQUIT"), &json!("stopped")]), "{messages:?}");
}

#[test]
fn health_has_its_own_listener_and_is_not_logged() {
    let service = probe().start();
    let management = service.management();
    assert_eq!(management.get("/health/live").send().status, 200);
    let ready = management.get("/health/ready").send();
    let health = ready.json();
    assert_eq!((ready.status, &health["status"], &health["database"]), (200, &json!("ready"), &json!("sqlite")));
    assert!(["users", "orders", "probe"].iter().all(|name| health["blueprints"][name] == "ready"), "{health}");
    assert_eq!(service.get("/health/live").send().status, 404, "health is not on the API's listener");
    assert_eq!(of_kind(&service.stop().records(), "response").len(), 1);
}

#[test]
fn readiness_fails_during_shutdown() {
    let mut service = probe().start();
    let in_flight = slow(&service, 1000);
    service.signal("TERM");
    let management = service.management();
    wait::until("readiness to end", Duration::from_secs(2), || {
        management.get("/health/ready").try_send().ok().filter(|reply| reply.status == 503)
    });
    service.wait_exit(Duration::from_secs(8));
    drop(in_flight.join());
}

/// The message of the only record of a failed start.
#[track_caller]
pub fn refusal(stopped: &Stopped) -> String {
    assert_eq!((stopped.code(), &*stopped.stdout), (Some(69), ""), "{}", stopped.stderr);
    let records = stopped.records();
    let [record] = records.as_slice() else { panic!("one line: {}", stopped.stderr) };
    assert_eq!((&record["kind"], &record["level"]), (&json!("service"), &json!("critical")));
    record["message"].as_str().expect("a message").to_owned()
}

#[test]
fn a_port_in_use_is_reported() {
    let running = probe().start();
    let port = running.port.to_string();
    let refused = refusal(&probe().env("APP__SERVER__PORT", &port).run());
    assert!(refused.starts_with(&format!("cannot listen on 127.0.0.1:{port}: ")), "{refused}");
}

#[test]
fn an_unusable_database_is_reported_in_one_line() {
    let scratch = Scratch::new("databases");
    let url = |name: &str| format!("sqlite://{}", scratch.join(name).display());
    scratch::write(&scratch.join("text.db"), "this is a text and no database ".repeat(100));
    scratch::write(&scratch.join("empty.db"), "");
    for (database, expected) in [
        (url("text.db"), "is not a SQLite database: check the path"),
        (url("missing.db") + "?mode=rw", "cannot be opened: check the path and its permissions"),
        (url("text.db/inside.db"), "cannot be created: directory"),
        (url("empty.db") + "?mode=ro", "is read-only: the file and its directory must be writable"),
    ] {
        let refused = refusal(&probe().env("APP__DATABASE__URL", &database).run());
        assert!(refused.contains(expected), "{database}: {refused}");
    }
    let foreign = probe().env("DATABASE_URL", "mysql://root:s3cret@db/x").env("APP__DATABASE__URL", "").run();
    assert_eq!(foreign.code(), Some(78));
    assert!(foreign.stderr.starts_with("database.url (set by DATABASE_URL)") && !foreign.stderr.contains("s3cret"));
}

#[test]
fn a_locked_database_is_reported_in_one_line() {
    let scratch = Scratch::new("locked");
    let path = scratch.join("held.db");
    let mut holder = hold_lock(&path);
    let stopped = probe().env("APP__DATABASE__URL", format!("sqlite://{}", path.display())).run();
    assert!(refusal(&stopped).contains("is locked by another process"), "{}", stopped.stderr);
    release_lock(&mut holder);
}

/// Starts a process that creates this database and holds its lock until [`release_lock`].
fn hold_lock(path: &Path) -> Child {
    let hold = format!(
        "import sqlite3, sys; c = sqlite3.connect({:?}, isolation_level=None); c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()",
        path.display().to_string()
    );
    let holder = Command::new("python3")
        .args(["-c", &hold])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    wait::until("the lock", Duration::from_secs(10), || path.exists().then_some(()));
    holder
}

fn release_lock(holder: &mut Child) {
    holder.stdin.take().expect("it is piped").flush().expect("the process is running");
    holder.wait().expect("it ends with its stdin");
}

#[test]
fn killing_supervisord_affects_neither_requests_nor_shutdown() {
    let mut service = Supervised::start(&[]);
    let pid = service.supervisor.program_pid("probe");
    service.supervisor.kill9();
    for _ in 0..50 {
        assert_eq!(
            run(service.child.client(), json!([{"do": "log", "level": "info", "message": "a line"}]), Value::Null)
                .status,
            204
        );
    }
    process_guard::signal(pid, "TERM");
    wait::until("the orphan's end", Duration::from_secs(5), || {
        // The orphan may not have been reaped yet.
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
        state.is_none_or(|state| state.contains(") Z ")).then_some(())
    });
}

#[test]
fn the_database_is_in_wal_mode() {
    let service = probe().start();
    assert!(service.scratch().join("app.db-wal").exists());
}

#[test]
fn a_process_can_serve_a_subset_of_blueprints() {
    let service =
        system_tests::service::Service::new(&binaries::app()).env("APP__BLUEPRINTS__ENABLED", "users").start();
    assert_eq!(service.get("/orders").send().status, 404);
    assert_eq!(service.get("/users").send().status, 401);
    assert_eq!(service.records()[0]["blueprints"], json!(["users"]));
}
