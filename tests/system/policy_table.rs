//! Every cell of the table in docs/CONTRACT.md: supervisord's log and Bugsink are compared with the policy function.

use std::collections::BTreeSet;
use std::time::Duration;

use cyanotype::settings::{Env, Mode};
use cyanotype::{Kind, Level, Policy, StackPlacement, ToSentry};
use serde_json::{Value, json};
use system_tests::peers::bugsink::{Bugsink, Project};
use system_tests::peers::supervisor::Supervisor;
use system_tests::peers::supervisor_conf::{Program, conf};
use system_tests::scratch::{self, Scratch};

use crate::supervised::Child;
use crate::support::{breadcrumbs, event_message, run};

#[test]
fn prod_off() {
    check_all(Env::Prod, Mode::Off);
}

#[test]
fn prod_stderr() {
    check_all(Env::Prod, Mode::Stderr);
}

#[test]
fn prod_sentry() {
    check_all(Env::Prod, Mode::Sentry);
}

#[test]
fn prod_both() {
    check_all(Env::Prod, Mode::Both);
}

#[test]
fn dev_off() {
    check_all(Env::Dev, Mode::Off);
}

#[test]
fn dev_stderr() {
    check_all(Env::Dev, Mode::Stderr);
}

#[test]
fn dev_sentry() {
    check_all(Env::Dev, Mode::Sentry);
}

#[test]
fn dev_both() {
    check_all(Env::Dev, Mode::Both);
}

/// Other values of Sentry's two levels.
#[test]
fn prod_both_with_other_sentry_levels() {
    let other = |breadcrumb_level, event_level| Policy {
        breadcrumb_level,
        event_level,
        ..policy(Env::Prod, Mode::Both, Level::Info)
    };
    check(&[
        other(Level::Warning, Level::Critical),
        other(Level::Debug, Level::Info),
        other(Level::Critical, Level::Critical),
        Policy { sentry: false, ..policy(Env::Prod, Mode::Both, Level::Info) },
        Policy { sentry: false, ..policy(Env::Prod, Mode::Sentry, Level::Info) },
    ]);
}

const EVENTS_LIMIT: Duration = Duration::from_secs(60);

fn policy(env: Env, mode: Mode, level: Level) -> Policy {
    Policy { env, mode, level, breadcrumb_level: Level::Info, event_level: Level::Error, sentry: true, logs: false }
}

fn check_all(env: Env, mode: Mode) {
    check(&Level::ALL.map(|level| policy(env, mode, level)));
}

/// Runs a service for each policy under one supervisord, drives all of them through every row, and compares.
fn check(policies: &[Policy]) {
    let scratch = Scratch::new("table");
    let running: Vec<Running> =
        policies.iter().enumerate().map(|(n, policy)| Running::new(&scratch, n, *policy)).collect();
    let programs: Vec<Program> = running.iter().map(|service| service.child.program()).collect();
    let supervisor = Supervisor::start(scratch.path(), &conf(&programs));
    for service in &running {
        service.drive();
    }
    // Bugsink may need longer than a shutdown lasts.
    for service in &running {
        service.project.wait_events(service.expected_events().len(), EVENTS_LIMIT);
    }
    // The shutdown flushes both sinks.
    supervisor.ctl(&["stop", "all"]);
    for service in &running {
        service.compare();
    }
    let own_log = scratch::read(&scratch.join("supervisord.log"));
    assert!(!own_log.contains("line-critical"), "supervisord.log repeats what the child wrote:\n{own_log}");
}

struct Running {
    policy: Policy,
    child: Child,
    project: Project,
}

impl Running {
    fn new(scratch: &Scratch, n: usize, policy: Policy) -> Self {
        let project = Bugsink::shared().project();
        let (level, breadcrumb_level, event_level) =
            (policy.level.as_str(), policy.breadcrumb_level.as_str(), policy.event_level.as_str());
        let environment = [
            ("APP__ENV", policy.env.as_str()),
            ("APP__LOG__MODE", policy.mode.as_str()),
            ("APP__LOG__LEVEL", level),
            ("APP__LOG__FORMAT", "json"),
            ("APP__SENTRY__BREADCRUMB_LEVEL", breadcrumb_level),
            ("APP__SENTRY__EVENT_LEVEL", event_level),
            ("SENTRY_DSN", if policy.sentry { &project.dsn } else { "" }),
        ];
        Self { policy, child: Child::new(scratch, &format!("probe-{n}"), &environment), project }
    }

    /// Records something of every kind and level.
    fn drive(&self) {
        self.child.wait_live();
        let client = self.child.client();
        let mut steps: Vec<Value> = Vec::new();
        for level in Level::ALL {
            steps.push(json!({"do": "log", "level": level, "message": format!("line-{level}")}));
            steps.push(json!({"do": "breadcrumb", "level": level, "message": format!("crumb-{level}")}));
        }
        steps.push(json!({"do": "capture_exception", "message": "caught", "cause": "its cause"}));
        steps.extend(
            Level::ALL
                .map(|level| json!({"do": "capture_event", "level": level, "message": format!("message-{level}")})),
        );
        run(client, json!(steps), json!({"respond": {"status": 200, "content_type": "text/plain", "body": "fine"}}));
        run(client, json!([]), json!({"respond": {"status": 404}}));
        run(client, json!([]), json!({"error": "returned"}));
        run(client, json!([]), json!({"panic": "panicked"}));
        run(client, json!([]), json!({"respond": {"status": 500}}));
    }

    fn compare(&self) {
        let written = self.child.records();
        self.compare_stderr(&written);
        self.compare_sentry(&self.project.events());
        for service in written.iter().filter(|record| record["kind"] == "service") {
            assert!(
                self.policy.destinations(Kind::Service, level_of(service)).stderr,
                "{service} under {:?}",
                self.policy
            );
        }
    }

    /// Every record that the requests produce.
    fn rows(&self) -> Vec<(Kind, Level, String)> {
        let mut rows = Vec::new();
        for level in Level::ALL {
            rows.push((Kind::Line, level, format!("line-{level}")));
            rows.push((Kind::Breadcrumb, level, format!("crumb-{level}")));
            rows.push((Kind::Message, level, format!("message-{level}")));
        }
        rows.push((Kind::Exception, Level::Error, "caught".into()));
        for (level, status) in [(Level::Info, 200), (Level::Warning, 404)] {
            rows.push((Kind::Response, level, format!("POST /probe/run {status}")));
        }
        // An error, a panic and a plain 500: a response and a failure each.
        for what in ["returned", "panicked", "responded with 500 Internal Server Error"] {
            rows.push((Kind::Response, Level::Error, "POST /probe/run 500".into()));
            rows.push((Kind::Uncaught, Level::Error, what.into()));
        }
        rows
    }

    fn compare_stderr(&self, written: &[Value]) {
        let mut expected: Vec<String> = Vec::new();
        for (kind, level, message) in self.rows() {
            let route = self.policy.destinations(kind, level);
            if route.stderr {
                let stack = match route.stack {
                    StackPlacement::Never => false,
                    // A plain 500 response has no stack.
                    StackPlacement::WithLine => !message.starts_with("responded with"),
                    StackPlacement::UnlessSentToSentry => !self.policy.has_sentry(),
                };
                expected.push(format!("{} {level} {message} stack={stack}", kind.as_str()));
            }
        }
        let mut actual: Vec<String> = Vec::new();
        // At debug and trace, libraries log lines, too.
        let is_library = |record: &Value| {
            record["kind"] == "line"
                && !record["target"].as_str().is_some_and(|target| target.starts_with("system_tests"))
        };
        for record in written.iter().filter(|record| record["kind"] != "service" && !is_library(record)) {
            let stack = record.get("exception.stacktrace").is_some();
            let text = |key: &str| record[key].as_str().unwrap_or("?").to_owned();
            actual.push(format!("{} {} {} stack={stack}", text("kind"), text("level"), text("message")));
        }
        expected.sort();
        actual.sort();
        assert_eq!(actual, expected, "on stderr under {:?}", self.policy);
    }

    /// The rows that the table routes there.
    fn routed(&self, destination: ToSentry) -> impl Iterator<Item = (Kind, Level, String)> {
        let rows = self.rows().into_iter();
        rows.filter(move |(kind, level, _)| self.policy.destinations(*kind, *level).sentry == destination)
    }

    /// The messages of the events, sorted.
    fn expected_events(&self) -> Vec<String> {
        let mut expected: Vec<String> = self.routed(ToSentry::Event).map(|(.., message)| message).collect();
        expected.sort();
        expected
    }

    fn compare_sentry(&self, events: &[Value]) {
        let expected = self.expected_events();
        let mut actual: Vec<String> = events.iter().map(event_message).collect();
        actual.sort();
        assert_eq!(actual, expected, "events under {:?}", self.policy);

        // Records before the caught error are its breadcrumbs, except those that are events themselves.
        if let Some(caught) = events.iter().find(|event| event_message(event) == "caught") {
            let expected: BTreeSet<String> = self
                .routed(ToSentry::Breadcrumb)
                .filter(|(kind, ..)| *kind != Kind::Response)
                .map(|(.., message)| message)
                .collect();
            assert_eq!(
                breadcrumbs(caught).into_iter().collect::<BTreeSet<_>>(),
                expected,
                "breadcrumbs under {:?}",
                self.policy
            );
        }
        for failed in events
            .iter()
            .filter(|event| event_message(event) == "returned" || event_message(event).starts_with("responded with"))
        {
            let response = self.policy.destinations(Kind::Response, Level::Error).sentry == ToSentry::Breadcrumb;
            let last = breadcrumbs(failed).pop();
            assert_eq!(last.as_deref() == Some("POST /probe/run 500"), response, "{last:?} under {:?}", self.policy);
        }
    }
}

fn level_of(record: &Value) -> Level {
    record["level"].as_str().and_then(|level| level.parse().ok()).expect("every record has a level")
}
