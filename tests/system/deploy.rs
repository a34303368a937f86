//! The unmodified files of deploy/supervisor: each behaves as its plan specifies (docs/CONTRACT.md N8, N9, N18 to N22).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use system_tests::http::Client;
use system_tests::peers::bugsink::{Bugsink, Project};
use system_tests::peers::supervisor::Supervisor;
use system_tests::scratch::{self, Scratch};
use system_tests::{ports, records};

use crate::supervised::wait_live;
use crate::support::{event_message, probe_app, run};

struct Deployed {
    home: Scratch,
    supervisor: Supervisor,
    port: u16,
    management_port: u16,
    project: Project,
}

impl Deployed {
    fn start(file: &str, more: &[(&str, &str)]) -> Self {
        let home = Scratch::new("deployed");
        for directory in ["bin", "log"] {
            scratch::make_dir(&home.join(directory));
        }
        symlink(probe_app(), home.join("bin/app")).expect("the directory is new");
        let user = Command::new("id").arg("-un").output().expect("there is `id`").stdout;
        let user = String::from_utf8_lossy(&user).trim().to_owned();
        let project = Bugsink::shared().project();
        let (port, management_port) = (ports::free(), ports::free());
        let (port_text, management_text) = (port.to_string(), management_port.to_string());
        let path = home.path().display().to_string();
        let mut environment = vec![
            ("APP_HOME", path.as_str()),
            ("APP_USER", &user),
            ("SENTRY_DSN", &project.dsn),
            ("PORT", &port_text),
            ("APP__MANAGEMENT__PORT", &management_text),
        ];
        environment.extend(more);
        let conf = scratch::workspace().join("deploy/supervisor").join(file);
        let supervisor = Supervisor::start_file(home.path(), &conf, &environment);
        Self { home, supervisor, port, management_port, project }
    }

    /// Logs lines at three levels, fails with a caught and an uncaught error, and stops.
    fn log_fail_and_stop(&self) {
        wait_live(self.management_port);
        let log = |level: &str| json!({"do": "log", "level": level, "message": level});
        let caught = json!({"do": "capture_exception", "message": "caught"});
        run(
            Client::new(self.port),
            json!([log("info"), log("warning"), log("error"), caught]),
            json!({"error": "uncaught"}),
        );
        self.supervisor.ctl(&["stop", "app"]);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// The records in the log file except those of kind `service`, as `kind message`, and whether each has a stack.
    fn written(&self) -> Vec<String> {
        let records = records::parse_all(&scratch::read(&self.file("log/app.log")));
        let mut records_written: Vec<String> = records
            .iter()
            .filter(|record| record["kind"] != "service")
            .map(|record| {
                let stack = if record.get("exception.stacktrace").is_some() { " with its stack" } else { "" };
                let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
                format!("{} {}{stack}", text("kind"), text("message"))
            })
            .collect();
        records_written.sort();
        records_written
    }

    fn events(&self) -> Vec<String> {
        let mut events: Vec<String> = self.project.events().iter().map(event_message).collect();
        events.sort();
        events
    }
}

fn run_plan(file: &str) -> Deployed {
    let deployed = Deployed::start(file, &[]);
    deployed.log_fail_and_stop();
    // N4: supervisord's own log exists, and does not contain the child's output.
    let own = fs::read_to_string(deployed.file("log/supervisord.log")).unwrap_or_default();
    assert!(!own.contains("\"kind\""), "{own}");
    deployed
}

#[test]
fn plan_0_records_nothing_n18() {
    let deployed = run_plan("plan-0.conf");
    assert_eq!(scratch::read(&deployed.file("log/app.log")), "");
    assert_eq!(deployed.events(), Vec::<String>::new());
}

#[test]
fn plan_1_uses_sentry_only_n19() {
    let deployed = run_plan("plan-1.conf");
    assert_eq!(scratch::read(&deployed.file("log/app.log")), "");
    assert_eq!(deployed.events(), ["caught", "uncaught"]);
}

#[test]
fn plan_2_logs_to_the_file_and_reports_failures_to_sentry_n20() {
    let deployed = run_plan("plan-2.conf");
    let expected = [
        "exception caught",
        "line error",
        "line info",
        "line warning",
        "response POST /probe/run 500",
        "uncaught uncaught with its stack",
    ];
    assert_eq!(deployed.written(), expected, "the stack of a caught error is only in Sentry");
    assert_eq!(deployed.events(), ["caught", "error", "uncaught"]);
    assert!(deployed.file("log/supervisord.log").exists());
}

#[test]
fn plan_2_at_warning_logs_warnings_and_errors_n21() {
    let deployed = run_plan("plan-2-warning.conf");
    let expected = [
        "exception caught",
        "line error",
        "line warning",
        "response POST /probe/run 500",
        "uncaught uncaught with its stack",
    ];
    assert_eq!(deployed.written(), expected);
    assert_eq!(deployed.events(), ["caught", "error", "uncaught"]);
}

#[test]
fn plan_2_at_critical_writes_nothing_to_the_file_n22() {
    let deployed = run_plan("plan-2-critical.conf");
    assert_eq!(scratch::read(&deployed.file("log/app.log")), "");
    assert_eq!(deployed.events(), ["caught", "uncaught"]);
}

#[test]
fn supervisords_own_log_can_be_disabled_n8() {
    let deployed = run_plan("no-supervisord-log.conf");
    assert_eq!(deployed.written().len(), 6);
    for name in ["log/supervisord.log", "supervisord.log", "none"] {
        assert!(!deployed.file(name).exists(), "{name} was created");
    }
}

#[test]
fn the_child_log_can_be_disabled_n9() {
    let deployed = run_plan("no-app-log.conf");
    assert!(!deployed.file("log/app.log").exists() && !deployed.file("none").exists());
    assert_eq!(deployed.events(), ["caught", "error", "uncaught"]);
}

#[test]
fn an_invalid_setting_is_not_retried() {
    let deployed = Deployed::start("plan-2.conf", &[("APP__LOG__RESPONSE__BODY", "everything")]);
    deployed.supervisor.wait_for("app", "EXITED");
    let log = scratch::read(&deployed.file("log/app.log"));
    let expected = "log.response.body (set by APP__LOG__RESPONSE__BODY): `everything` is not allowed; expected one of off, metadata, redacted\n";
    assert_eq!(log, expected, "one message, so one start");
}

#[test]
fn an_unavailable_port_is_retried() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let deployed = Deployed::start("plan-2.conf", &[("PORT", &port)]);
    let refusals = || {
        let log = fs::read_to_string(deployed.file("log/app.log")).unwrap_or_default();
        let refused: Vec<Value> =
            records::parse(&log).into_iter().filter(|record| record["level"] == "critical").collect();
        (refused.len() >= 2).then_some(refused)
    };
    let refused = system_tests::wait::until("a second start", std::time::Duration::from_secs(30), refusals);
    let message = refused[0]["message"].as_str().expect("a message");
    assert!(message.contains(&format!("127.0.0.1:{port}: ")), "{message}");
}
