//! Fleet overrides: all processes of a service share them through its database.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::binaries;
use system_tests::figures;
use system_tests::http::Reply;
use system_tests::peers::postgres::Postgres;
use system_tests::scratch::Scratch;
use system_tests::service::{Running, Service};
use system_tests::wait;

const TOKEN: &str = "token-of-management";
const PROCESSES: usize = 8;
/// The limit of the contract.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(1);
/// The time after which a wait fails.
const LIMIT: Duration = Duration::from_secs(20);

fn start(url: &str) -> Running {
    Service::new(&binaries::app())
        .env("APP__DATABASE__URL", url)
        // The fleet uses an additional connection.
        .env("APP__DATABASE__MAX_CONNECTIONS", "1")
        .env("APP__SERVER__WORKERS", "1")
        .env("APP__MANAGEMENT__TOKEN", TOKEN)
        .start()
}

fn put(on: &Running, id: &str, level: &str) -> Reply {
    let body = json!({"set": {"log.level": level}, "for": "15m", "reason": "INC-421", "fleet": true});
    on.management().request("PUT", &format!("/log/overrides/{id}")).bearer(TOKEN).json(&body).send()
}

fn delete(on: &Running, id: &str) -> Reply {
    on.management().delete(&format!("/log/overrides/{id}")).bearer(TOKEN).send()
}

fn log(of: &Running) -> Value {
    let reply = of.management().get("/log").bearer(TOKEN).send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// Waits until each process has applied this version and level; returns the time since `since`.
#[track_caller]
fn all_follow(processes: &[Running], version: u64, level: &str, since: Instant) -> Duration {
    let is_there = |it: &Running| {
        let log = log(it);
        log["fleet_version"] == version && log["effective"]["log.level"] == level
    };
    for process in processes {
        wait::until(&format!("version {version}"), LIMIT, || is_there(process).then_some(()));
    }
    since.elapsed()
}

#[track_caller]
fn assert_in_time(what: &str, took: Duration) {
    figures::print(&format!("{PROCESSES} processes on PostgreSQL, {what}: all updated after {} ms", took.as_millis()));
    assert!(took < FOLLOWS_WITHIN, "{what}: {took:?}");
}

fn changes(of: &Running, id: &str) -> Vec<String> {
    let records = of.records();
    let changes = records.iter().map(|record| &record["change"]).filter(|change| change["id"] == id);
    changes.map(|change| change["action"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A response does not wait for its audit record, which another thread writes.
fn changes_once_written(of: &Running, id: &str, expected: usize) -> Vec<String> {
    wait::until("the audit records", LIMIT, || Some(changes(of, id)).filter(|changes| changes.len() >= expected))
}

#[test]
fn eight_processes_on_postgres_follow_within_a_second() {
    let postgres = Postgres::shared();
    let url = postgres.database();
    let mut processes: Vec<Running> = (0..PROCESSES).map(|_| start(&url)).collect();
    assert_eq!(log(&processes[0])["fleet_version"], Value::Null, "there is no fleet override yet");

    let reply = put(&processes[0], "incident", "debug");
    let since = Instant::now();
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(log(&processes[0])["fleet_version"], 1, "the receiving process applies it immediately");
    assert_in_time("by notification", all_follow(&processes, 1, "debug", since));
    for process in &processes {
        let shown = &log(process)["overrides"][0];
        assert_eq!((&shown["id"], &shown["fleet"]), (&json!("incident"), &json!(true)), "{shown}");
    }

    let listening = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name LIKE '%cyanotype_log' AND datname = current_database()";
    assert_eq!(postgres.sql(&url, listening), PROCESSES.to_string(), "one connection each");
    let reply = put(&processes[1], "incident", "error");
    let since = Instant::now();
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_in_time("with terminated listening connections", all_follow(&processes, 2, "error", since));

    // A change without a notification.
    let update = r#"UPDATE log_overrides SET set_values = '{"log.level":"debug"}', until = until + interval '1 minute';
                    UPDATE log_fleet SET version = 3"#;
    let since = Instant::now();
    postgres.sql(&url, update);
    assert_in_time("by polling only", all_follow(&processes, 3, "debug", since));

    let late_starter = start(&url);
    let state = log(&late_starter);
    assert_eq!((&state["fleet_version"], &state["effective"]["log.level"]), (&json!(3), &json!("debug")), "{state}");
    processes.push(late_starter);

    let reply = delete(&processes[5], "incident");
    let since = Instant::now();
    assert_eq!(reply.status, 204, "{}", reply.text());
    all_follow(&processes, 4, "info", since);
    for (n, process) in processes.iter().enumerate() {
        let expected: &[&str] = if n < PROCESSES { &["set", "set", "set", "cleared"] } else { &["set", "cleared"] };
        assert_eq!(changes_once_written(process, "incident", expected.len()), expected);
    }
    for process in processes {
        assert_eq!(process.stop().code(), Some(0));
    }
    assert_eq!(postgres.sql(&url, "SELECT count(*) FROM log_processes"), "0", "each process has removed its row");
}

#[test]
fn overrides_are_rejected_while_the_database_is_down() {
    let mut postgres = Postgres::start_own();
    let app = start(&postgres.database());
    assert_eq!(put(&app, "incident", "debug").status, 201);
    postgres.stop();
    // Whether another process has set an override cannot be known either.
    let unknown = delete(&app, "set-elsewhere");
    for reply in [put(&app, "more", "error"), put(&app, "incident", "error"), delete(&app, "incident"), unknown] {
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    }
    let state = log(&app);
    assert_eq!((&state["fleet_version"], &state["effective"]["log.level"]), (&json!(1), &json!("debug")), "{state}");
    assert_eq!(state["overrides"].as_array().map(Vec::len), Some(1), "{state}");
    postgres.restart();
    let reply = wait::until("the database connection to recover", LIMIT, || {
        Some(put(&app, "more", "error")).filter(|reply| reply.status != 503)
    });
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(changes_once_written(&app, "more", 1), ["set"]);
    app.stop();
}

#[test]
fn two_processes_on_sqlite_follow_each_other() {
    let scratch = Scratch::new("fleet");
    let url = format!("sqlite://{}", scratch.join("app.db").display());
    let processes = [start(&url), start(&url)];
    assert_eq!(put(&processes[0], "incident", "debug").status, 201);
    let took = all_follow(&processes, 1, "debug", Instant::now());
    assert!(took < FOLLOWS_WITHIN, "{took:?}");
    assert_eq!(delete(&processes[1], "incident").status, 204);
    all_follow(&processes, 2, "info", Instant::now());
    processes.into_iter().for_each(|process| drop(process.stop()));
}
