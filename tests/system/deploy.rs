//! The unmodified files of deploy/supervisor: each behaves as its plan specifies (docs/CONTRACT.md N8, N9, N18 to N22).

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use cyanotype::settings::Loader;
use serde_json::{Value, json};
use system_tests::http::Client;
use system_tests::peers::bugsink::{Bugsink, Project};
use system_tests::peers::deployed::Deployed;
use system_tests::scratch;
use system_tests::{ports, records};

use crate::supervised::wait_live;
use crate::support::{event_message, probe_app, run};

struct Plan {
    deployed: Deployed,
    port: u16,
    management_port: u16,
    project: Project,
}

const EVENTS_LIMIT: Duration = Duration::from_secs(60);

impl Plan {
    fn start(file: &str, more: &[(&str, &str)]) -> Self {
        let project = Bugsink::shared().project();
        let (port, management_port) = (ports::free(), ports::free());
        let (port_text, management_text) = (port.to_string(), management_port.to_string());
        let mut environment = vec![
            ("SENTRY_DSN", project.dsn.as_str()),
            ("PORT", &port_text),
            ("APP__MANAGEMENT__PORT", &management_text),
        ];
        environment.extend(more);
        Self { deployed: Deployed::start(file, probe_app(), &environment), port, management_port, project }
    }

    /// Logs lines at three levels, fails with a caught and an uncaught error, and stops once these events have arrived: Bugsink
    /// may need longer than a shutdown lasts.
    fn log_fail_and_stop(&self, events: usize) {
        wait_live(self.management_port);
        let log = |level: &str| json!({"do": "log", "level": level, "message": level});
        let caught = json!({"do": "capture_exception", "message": "caught"});
        run(
            Client::new(self.port),
            json!([log("info"), log("warning"), log("error"), caught]),
            json!({"error": "uncaught"}),
        );
        self.project.wait_events(events, EVENTS_LIMIT);
        self.deployed.supervisor.ctl(&["stop", "app"]);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.deployed.file(name)
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

fn run_plan(file: &str, events: usize) -> Plan {
    let plan = Plan::start(file, &[]);
    plan.log_fail_and_stop(events);
    // N4: supervisord's own log exists, and does not contain the child's output.
    let own = fs::read_to_string(plan.file("log/supervisord.log")).unwrap_or_default();
    assert!(!own.contains("\"kind\""), "{own}");
    plan
}

#[test]
fn plan_0_records_nothing_n18() {
    let plan = run_plan("plan-0.conf", 0);
    assert_eq!(scratch::read(&plan.file("log/app.log")), "");
    assert_eq!(plan.events(), Vec::<String>::new());
}

#[test]
fn plan_1_uses_sentry_only_n19() {
    let plan = run_plan("plan-1.conf", 2);
    assert_eq!(scratch::read(&plan.file("log/app.log")), "");
    assert_eq!(plan.events(), ["caught", "uncaught"]);
}

#[test]
fn plan_2_logs_to_the_file_and_reports_failures_to_sentry_n20() {
    let plan = run_plan("plan-2.conf", 3);
    let expected = [
        "exception caught",
        "line error",
        "line info",
        "line warning",
        "response POST /probe/run 500",
        "uncaught uncaught with its stack",
    ];
    assert_eq!(plan.written(), expected, "the stack of a caught error is only in Sentry");
    assert_eq!(plan.events(), ["caught", "error", "uncaught"]);
    assert!(plan.file("log/supervisord.log").exists());
}

#[test]
fn plan_2_at_warning_logs_warnings_and_errors_n21() {
    let plan = run_plan("plan-2-warning.conf", 3);
    let expected = [
        "exception caught",
        "line error",
        "line warning",
        "response POST /probe/run 500",
        "uncaught uncaught with its stack",
    ];
    assert_eq!(plan.written(), expected);
    assert_eq!(plan.events(), ["caught", "error", "uncaught"]);
}

#[test]
fn plan_2_at_critical_writes_nothing_to_the_file_n22() {
    let plan = run_plan("plan-2-critical.conf", 2);
    assert_eq!(scratch::read(&plan.file("log/app.log")), "");
    assert_eq!(plan.events(), ["caught", "uncaught"]);
}

#[test]
fn supervisords_own_log_can_be_disabled_n8() {
    let plan = run_plan("no-supervisord-log.conf", 3);
    assert_eq!(plan.written().len(), 6);
    for name in ["log/supervisord.log", "supervisord.log", "none"] {
        assert!(!plan.file(name).exists(), "{name} was created");
    }
}

#[test]
fn the_child_log_can_be_disabled_n9() {
    let plan = run_plan("no-app-log.conf", 3);
    assert!(!plan.file("log/app.log").exists() && !plan.file("none").exists());
    assert_eq!(plan.events(), ["caught", "error", "uncaught"]);
}

#[test]
fn an_invalid_setting_is_not_retried() {
    let plan = Plan::start("plan-2.conf", &[("APP__LOG__RESPONSE__BODY", "everything")]);
    plan.deployed.supervisor.wait_for("app", "EXITED");
    let log = scratch::read(&plan.file("log/app.log"));
    let expected = "log.response.body (set by APP__LOG__RESPONSE__BODY): `everything` is not allowed; expected one of off, metadata, redacted\n";
    assert_eq!(log, expected, "one message, so one start");
}

#[test]
fn an_unavailable_port_is_retried() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let plan = Plan::start("plan-2.conf", &[("PORT", &port)]);
    let refusals = || {
        let log = fs::read_to_string(plan.file("log/app.log")).unwrap_or_default();
        let refused: Vec<Value> =
            records::parse(&log).into_iter().filter(|record| record["level"] == "critical").collect();
        (refused.len() >= 2).then_some(refused)
    };
    let refused = system_tests::wait::until("a second start", std::time::Duration::from_secs(30), refusals);
    let message = refused[0]["message"].as_str().expect("a message");
    assert!(message.contains(&format!("127.0.0.1:{port}: ")), "{message}");
}

/// The sections of a configuration, each with its name and the values of its keys.
fn sections(text: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut sections: Vec<(String, BTreeMap<String, String>)> = vec![];
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(';')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push((name.to_owned(), BTreeMap::new()));
        } else if let (Some((_, values)), Some((key, value))) = (sections.last_mut(), line.split_once('=')) {
            values.insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    sections
}

/// supervisord must wait for the longest stop of the service, and a little longer.
#[test]
fn supervisord_waits_for_the_longest_stop() {
    const MARGIN: u64 = 2;
    let files = fs::read_dir(scratch::workspace().join("deploy/supervisor")).expect("the directory exists");
    let paths = files.map(|file| file.expect("the directory can be read").path());
    let mut checked = 0;
    for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "conf")) {
        for (name, values) in sections(&scratch::read(&path)) {
            if !name.starts_with("program:") {
                continue;
            }
            let variables = values["environment"].split(',').filter_map(|pair| pair.split_once('='));
            let variables = variables.map(|(key, value)| (key, value.trim_matches('"')));
            let of_server = variables.filter(|(key, _)| key.starts_with("APP__SERVER__"));
            let settings = Loader::new("/nonexistent").variables(of_server).load().expect("valid settings");
            let longest = (settings.server.drain() + settings.server.shutdown_timeout()).as_secs();
            assert_eq!(values["stopwaitsecs"], (longest + MARGIN).to_string(), "{name} in {}", path.display());
            checked += 1;
        }
    }
    assert!(checked >= 11, "only {checked} programs were found");
}

#[test]
fn the_files_name_the_version_of_the_program() {
    let version = env!("CARGO_PKG_VERSION");
    let read = |name: &str| scratch::read(&scratch::workspace().join("deploy").join(name));
    let kustomization = read("kubernetes/base/kustomization.yaml");
    for line in [format!("newTag: {version}"), format!("app.kubernetes.io/version: {version}")] {
        assert!(kustomization.lines().any(|it| it.trim() == line), "{line}");
    }
    assert!(read("container/Containerfile").lines().any(|line| line == format!("ARG VERSION={version}")));
    let newest = read("debian/changelog");
    assert!(newest.starts_with(&format!("cyanotype-app ({version}")), "{newest}");
}
