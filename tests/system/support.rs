//! Helpers for most tests: the probe's binary, scripts for it, records and events.

use std::path::Path;

use serde_json::{Map, Value};
use system_tests::http::{Client, Reply};
use system_tests::peers::bugsink::Project;
use system_tests::service::Service;

/// The app with the probe added.
pub fn probe_app() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_probe-app"))
}

/// The probe in prod, with JSON records and without Sentry.
pub fn probe() -> Service {
    Service::new(probe_app())
}

/// The probe with this Sentry project.
pub fn probe_with(project: &Project) -> Service {
    // Bugsink shares the processor with all tests: the default budget may end before it answers, and the events are spooled.
    probe().env("SENTRY_DSN", &project.dsn).env("APP__SERVER__SHUTDOWN_TIMEOUT_S", "25")
}

/// Sends a script to the probe: steps, then a finish.
#[track_caller]
pub fn run(client: Client, steps: Value, finish: Value) -> Reply {
    let mut script = Map::from_iter([("steps".to_owned(), steps)]);
    if !finish.is_null() {
        script.insert("finish".to_owned(), finish);
    }
    client.post("/probe/run").json(&script.into()).send()
}

/// The records of one kind.
pub fn of_kind<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["kind"] == kind).collect()
}

/// The messages of an event's breadcrumbs, oldest first.
pub fn breadcrumbs(event: &Value) -> Vec<String> {
    let crumbs = event["breadcrumbs"]["values"].as_array().or_else(|| event["breadcrumbs"].as_array());
    let messages = crumbs.into_iter().flatten().map(|crumb| crumb["message"].as_str().unwrap_or_default().to_owned());
    messages.collect()
}

/// The exceptions of an event, innermost first.
pub fn exceptions(event: &Value) -> Vec<&Value> {
    let exceptions = event["exception"]["values"].as_array().or_else(|| event["exception"].as_array());
    exceptions.into_iter().flatten().collect()
}

/// The message of an event's exception, or else the event's own message.
pub fn event_message(event: &Value) -> String {
    let value = exceptions(event).last().and_then(|exception| exception["value"].as_str()).map(str::to_owned);
    let message = || event["message"].as_str().or_else(|| event["logentry"]["formatted"].as_str()).map(str::to_owned);
    value.or_else(message).unwrap_or_default()
}
