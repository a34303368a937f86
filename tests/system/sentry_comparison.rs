//! Ten failures in a Flask app with Sentry's Python SDK and in this service, compared field by field in
//! docs/SENTRY_COMPARISON.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::http::Client;
use system_tests::peers::bugsink::{Bugsink, Project};
use system_tests::peers::flask::Flask;

use crate::documents::check;
use crate::support::{breadcrumbs, exceptions, probe_with};

const ARRIVAL: Duration = Duration::from_secs(30);
const SPAN: &str = "00f067aa0ba902b7";
const LACKING: &str = "–";

/// A failure: what happens, the route of the Flask app, and the probe's script.
fn failures() -> [(&'static str, &'static str, Value); 10] {
    let error = json!({"error": "no stock", "cause": "the warehouse is closed"});
    let with = |key: &str, value: Value| {
        let mut finish = error.clone();
        finish[key] = value;
        finish
    };
    let caught = json!({"do": "capture_exception", "message": "no stock", "cause": "the warehouse is closed"});
    let crumbs = json!([
        {"do": "log", "level": "info", "message": "reading the stock"},
        {"do": "breadcrumb", "message": "stock requested", "category": "stock"},
    ]);
    let scope =
        json!([{"do": "scope", "tags": {"region": "eu"}, "user": {"id": "7"}, "context": {"cart": {"items": 2}}}]);
    let log = json!([{"do": "log", "level": "error", "message": "sku 17 is missing"}]);
    let message = json!([{"do": "capture_event", "message": "stock is low", "level": "info"}]);
    [
        ("an error with a cause that no code catches", "uncaught", json!({"finish": error})),
        ("a caught error with a cause", "caught", json!({"steps": [caught]})),
        (
            "an error that is captured, then raised",
            "captured_then_raised",
            json!({"finish": with("report", json!("capture"))}),
        ),
        ("an error that is logged, then raised", "logged_then_raised", json!({"finish": with("report", json!("log"))})),
        ("a log line of level error", "logged", json!({"steps": log})),
        ("a message", "message", json!({"steps": message})),
        ("an error after breadcrumbs", "breadcrumbs", json!({"steps": crumbs, "finish": error})),
        ("an error with a tag, a user and a context", "scope", json!({"steps": scope, "finish": error})),
        ("a failed assertion; a panic", "crash", json!({"finish": {"panic": "the index is out of bounds"}})),
        ("a response 503 without an error", "status", json!({"finish": {"respond": {"status": 503, "body": "busy"}}})),
    ]
}

/// The id of the trace of a failure, by which its events are found.
fn trace(failure: usize) -> String {
    format!("{:032x}", 0xabc0 + failure)
}

fn send(client: Client, path: &str, failure: usize, body: &Value) {
    let request = client.post(path).header("sentry-trace", format!("{}-{SPAN}", trace(failure)));
    request.header("x-request-id", "one").header("user-agent", "curl/8").json(body).send();
}

/// The events of each failure.
fn events(project: &Project) -> BTreeMap<String, Vec<Value>> {
    let mut events: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in project.events() {
        let trace = event["contexts"]["trace"]["trace_id"].as_str().unwrap_or_default().to_owned();
        events.entry(trace).or_default().push(event);
    }
    events
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}

fn pairs(value: &Value, show: impl Fn(&str, &Value) -> String) -> String {
    let mut shown: Vec<String> = value.as_object().into_iter().flatten().map(|(key, value)| show(key, value)).collect();
    shown.sort();
    shown.join(", ")
}

/// The fields of an event that users of Sentry read, without what differs between two runs.
fn fields(event: &Value) -> Vec<(&'static str, String)> {
    let chain = exceptions(event);
    let name = |exception: &Value| {
        let ty = text(&exception["type"]);
        format!("{}: {}", ty.rsplit("::").next().unwrap_or_default(), text(&exception["value"]))
    };
    let last = chain.last().copied().cloned().unwrap_or_default();
    let entry = [&event["logentry"]["formatted"], &event["logentry"]["message"], &event["message"]];
    let message = entry.into_iter().map(text).find(|text| !text.is_empty()).unwrap_or_default();
    let stacks = [&last["stacktrace"], &event["threads"]["values"][0]["stacktrace"], &event["stacktrace"]];
    let frames = stacks.into_iter().find_map(|stack| stack["frames"].as_array()).cloned().unwrap_or_default();
    let in_app: Vec<&Value> = frames.iter().filter(|frame| frame["in_app"] == true).collect();
    let own = in_app.iter().rev().find(|frame| {
        let function = text(&frame["function"]);
        !function.contains("_stack_of_") && !function.contains("From<") && !function.contains("convert")
    });
    let url = text(&event["request"]["url"]);
    let path = url.splitn(4, '/').nth(3).map(|path| format!("http://host/{path}")).unwrap_or_default();
    let trace = &event["contexts"]["trace"];
    let number = |n: usize| if n == 0 { String::new() } else { n.to_string() };
    vec![
        ("title", if chain.is_empty() { message } else { name(&last) }),
        ("causes", chain.iter().rev().skip(1).map(|it| name(it)).collect::<Vec<_>>().join(", ")),
        ("message template", text(&event["logentry"]["message"])),
        ("level", event["level"].as_str().unwrap_or("error").to_owned()),
        ("handled", text(&last["mechanism"]["handled"])),
        ("transaction", text(&event["transaction"])),
        ("tags", pairs(&event["tags"], |key, value| format!("{key}={}", text(value)))),
        ("user", pairs(&event["user"], |key, value| format!("{key}={}", text(value)))),
        ("contexts", pairs(&event["contexts"], |key, _| key.to_owned())),
        ("breadcrumbs", breadcrumbs(event).join(", ")),
        ("stack trace", if frames.is_empty() { String::new() } else { "yes".into() }),
        ("frame in the app", own.map(|frame| short(&text(&frame["function"]))).unwrap_or_default()),
        (
            "source lines in frames",
            number(frames.iter().filter(|it| it["context_line"].is_string()).count().min(1)).replace('1', "yes"),
        ),
        ("request URL", path),
        ("request method", text(&event["request"]["method"])),
        ("request headers", pairs(&event["request"]["headers"], |key, _| key.to_ascii_lowercase())),
        ("release", text(&event["release"])),
        ("environment", text(&event["environment"])),
        ("server name", if event["server_name"].is_string() { "yes".into() } else { String::new() }),
        (
            "trace of the caller",
            if trace["parent_span_id"] == SPAN { "yes, and its span".into() } else { "yes".into() },
        ),
    ]
}

/// The last part of the path of a function.
fn short(function: &str) -> String {
    let plain = function.replace("::{{closure}}", "").replace("::{closure#0}", "");
    plain.rsplit("::").next().unwrap_or_default().to_owned()
}

/// The table of one failure.
fn table(what: &str, [theirs, ours]: [&[Value]; 2]) -> String {
    let count = |events: &[Value]| events.len().to_string();
    let mut rows = vec![("events", count(theirs), count(ours))];
    let [theirs, ours] = [theirs, ours].map(|events| events.first().map(fields).unwrap_or_default());
    let names = if theirs.len() > ours.len() { &theirs } else { &ours };
    for (at, (name, _)) in names.iter().enumerate() {
        let of = |fields: &[(&str, String)]| fields.get(at).map(|(_, value)| value.clone()).unwrap_or_default();
        rows.push((name, of(&theirs), of(&ours)));
    }
    let mut text = format!("### {what}\n\n| | Flask, sentry-sdk | Cyanotype |\n| --- | --- | --- |\n");
    let cell =
        |value: &str| if value.is_empty() { LACKING.to_owned() } else { value.replace('|', "\\|").replace('\n', " ") };
    for (name, theirs, ours) in rows.iter().filter(|(_, theirs, ours)| !theirs.is_empty() || !ours.is_empty()) {
        let _ = writeln!(text, "| {name} | {} | {} |", cell(theirs), cell(ours));
    }
    text
}

#[test]
fn ten_failures_arrive_as_from_the_python_sdk() {
    let [theirs, ours] = [(); 2].map(|()| Bugsink::shared().project());
    let flask = Flask::start(&theirs.dsn);
    let service = probe_with(&ours).env("SENTRY_ENVIRONMENT", "stage").env("SENTRY_RELEASE", "shop@1.2.3").start();
    let failures = failures();
    for (at, (_, route, script)) in failures.iter().enumerate() {
        send(Client::new(flask.port), &format!("/{route}"), at, &json!({}));
        send(service.client(), "/probe/run", at, script);
    }
    Client::new(flask.port).post("/flush").send();
    ours.wait_events(failures.len(), ARRIVAL);
    service.stop();

    let [theirs, ours] = [&theirs, &ours].map(events);
    let mut text = String::new();
    for (at, (what, ..)) in failures.iter().enumerate() {
        let of = |events: &BTreeMap<String, Vec<Value>>| events.get(&trace(at)).cloned().unwrap_or_default();
        let [theirs, ours] = [of(&theirs), of(&ours)];
        assert_eq!(ours.len(), 1, "{what}: {ours:#?}");
        if at > 0 {
            text.push('\n');
        }
        text.push_str(&table(what, [&theirs, &ours]));
    }
    check("docs/SENTRY_COMPARISON.md", "comparison", &text);
}
