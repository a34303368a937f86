//! The shape of the output, exit statuses, settings.

use std::net::TcpListener;

use cyanotype::checks::CHECKS;
use serde_json::{Value, json};

use system_tests::scratch::Scratch;

use super::{Report, Setup};

const OPTIONAL: [&str; 1] = ["management-socket"];

#[test]
fn a_start_here_is_examined_without_changes() {
    let setup = Setup::new();
    let report = setup.doctor();
    let expected: Vec<&str> = CHECKS.iter().map(|check| check.name).filter(|name| !OPTIONAL.contains(name)).collect();
    let mut names = report.names();
    // The checks of the database and of the clock share a connection.
    assert_eq!(names, expected, "in the order of the documentation");
    names.dedup();
    assert_eq!((report.code, &report.json["pid"], names.len()), (Some(0), &Value::Null, expected.len()));
    report
        .has("process", "OK", &["none listens on 127.0.0.1:", "start here"])
        .has("settings", "OK", &["valid"])
        .has("database", "OK", &["SQLite 3.", "app.db does not exist yet"])
        .has("migrations", "OK", &["the start will run"])
        .has("wal", "OK", &["the start sets"])
        .has("clock", "OK", &["no other clock"])
        .has("disk", "OK", &["free for database"])
        .has("api-port", "OK", &["is free"])
        .has("management-port", "OK", &["is free"])
        .has("management", "OK", &["only from this machine"]);
    assert_eq!(report.stderr, "");
    assert_eq!(setup.scratch().names(), [""; 0]);
}

#[test]
fn the_running_service_is_examined() {
    let setup = Setup::new();
    let service = setup.start();
    let report = setup.doctor();
    assert_eq!(report.json["pid"], json!(service.pid));
    let own_stderr = service.scratch().join("stderr");
    report
        .has("process", "OK", &[&format!("runs as pid {}", service.pid), "/app runs", "uid "])
        .has("settings", "OK", &["valid"])
        .has("migrations", "OK", &["all have run"])
        .has("wal", "OK", &["journal mode wal"])
        .has("stderr", "WARN", &[&own_stderr.display().to_string(), "not opened for appending"])
        .has("descriptors", "OK", &["are open"])
        .has("api-port", "OK", &["held by the running service"])
        .has("management-port", "OK", &["held by the running service"]);
    assert_eq!((report.code, &report.json["status"]), (Some(0), &json!("WARN")));
    service.stop();
    assert_eq!(setup.doctor().has("process", "OK", &["none listens"]).json["pid"], Value::Null);
}

#[test]
fn text_and_json_have_the_same_lines() {
    let setup = Setup::new().env("TZ", "JST-9");
    let text = setup.service().arg("doctor").run();
    let report = setup.doctor();
    assert_eq!(text.code(), Some(0), "{}", text.stderr);
    let lines: Vec<&str> = text.stdout.lines().filter(|line| !line.starts_with(' ')).collect();
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(names, report.names());
    assert!(lines.iter().all(|line| ["OK    ", "WARN  "].iter().any(|status| line.starts_with(status))), "{lines:?}");
    let after = text.stdout.split("WARN  time-zone").nth(1).expect("the zone is a warning");
    assert!(after.lines().nth(1).is_some_and(|line| line.trim_start().starts_with('→')), "the remedy follows: {after}");
    assert!(!text.stdout.contains('\x1b'), "no colors elsewhere than on a terminal");
    let colored = setup.service().arg("doctor").env("APP__LOG__COLOR", "always").run();
    assert!(colored.stdout.contains("\x1b[33mWARN"), "{}", colored.stdout);
}

#[test]
fn invalid_settings_are_a_failure() {
    let setup =
        Setup::new().env("APP__LOG__MODE", "loud").env("APP__DATABASE__URL", "postgres://ada:hunter2@db:x/shop");
    let report = setup.doctor();
    report.has("settings", "FAIL", &["log.mode (set by APP__LOG__MODE)", "database.url"]);
    assert_eq!((report.code, report.names()), (Some(1), vec!["settings", "clock", "time-zone"]));
    assert!(!report.json.to_string().contains("hunter2"));
    Setup::new().env("APP__BLUEPRINTS__ENABLED", "no-such").doctor().has("settings", "FAIL", &["unknown blueprint"]);
    let usage = Setup::new().service().arg("doctor").arg("--no-such").run();
    assert_eq!((usage.code(), &*usage.stdout), (Some(2), ""));
}

#[test]
fn near_misses_and_another_environment_are_warnings() {
    let setup = Setup::new();
    let miss = Setup::new().env("LOG_LEVEL", "hunter2").doctor();
    miss.has("settings", "WARN", &["LOG_LEVEL is ignored; did you mean APP__LOG__LEVEL?"]);
    assert!(!miss.json.to_string().contains("hunter2"));

    let _service =
        setup.service().env("APP__LOG__LEVEL", "error").env("APP__LOG__DEBUG_KEY", "hunter2hunter2hunter2").start();
    let report = setup.doctor();
    report.has("settings", "WARN", &["other values of APP__LOG__DEBUG_KEY, APP__LOG__LEVEL"]);
    assert!(!report.json.to_string().contains("hunter2"), "only names are shown");
}

#[test]
fn another_working_directory_is_a_warning_where_it_matters() {
    let setup = Setup::new().env("APP__SENTRY__SPOOL_DIR", "spool");
    let _service = setup.start();
    setup.doctor().has("settings", "OK", &[]);
    let elsewhere = Scratch::new("elsewhere");
    let output = setup.service().dir(elsewhere.path()).arg("doctor").arg("--json").run();
    let directory = setup.scratch().path().canonicalize().expect("it exists");
    Report::of(&output).has("settings", "WARN", &[&format!("was started in {}", directory.display())]);
}

#[test]
fn a_relative_database_is_another_one_in_another_directory() {
    for url in ["sqlite:data.db", "sqlite://data.db"] {
        let setup = Setup::new().env("APP__DATABASE__URL", url);
        let _service = setup.start();
        let elsewhere = Scratch::new("elsewhere");
        let output = setup.service().dir(elsewhere.path()).arg("doctor").arg("--json").run();
        Report::of(&output).has("settings", "WARN", &["was started in "]);
    }
}

#[test]
fn a_service_that_does_not_answer_is_a_failure() {
    let setup = Setup::new();
    let service = setup.start();
    service.signal("STOP");
    let report = setup.doctor();
    service.signal("CONT");
    report.has("process", "FAIL", &["does not answer /health/live"]);
    assert_eq!(report.json["pid"], json!(service.pid), "the other checks are still of the running service");
}

#[test]
fn a_replaced_program_is_a_warning() {
    let setup = Setup::new();
    let program = setup.scratch().join("app");
    std::fs::copy(system_tests::binaries::app(), &program).expect("it is copied");
    let service = setup.service_of(&program).start();
    std::fs::remove_file(&program).expect("it is removed");
    let report = setup.doctor();
    report.has("process", "WARN", &["(deleted)", "was replaced"]);
    assert_eq!(report.json["pid"], json!(service.pid));
}

#[test]
fn a_slow_check_is_named_and_the_others_continue() {
    // The kernel accepts connections, and nothing answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = silent.local_addr().expect("it is bound").port();
    let setup = Setup::new().env("APP__DATABASE__URL", format!("postgres://ada:hunter2@127.0.0.1:{port}/shop"));
    let report = setup.doctor();
    report.has("database", "FAIL", &[&format!("127.0.0.1:{port}"), "did not respond within 5 s"]);
    report.has("time-zone", "OK", &[]);
    assert_eq!(report.stderr, "still checking: database\n");
    assert!(!report.json.to_string().contains("hunter2"));
}
