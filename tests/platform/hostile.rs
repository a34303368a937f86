//! Requests of a client that tries to forge records.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use system_tests::http::{Client, Request};
use system_tests::service::Service;

use crate::{percent_encoded, probe_app};

/// How many records there are of each kind.
pub type Kinds = BTreeMap<String, usize>;

/// What the client wants to see in the log.
pub const FORGED: &str = "Nov 26 12:00:00 db01 sshd[1]: Accepted password for root";

/// A header or path that servers still accept is at most about this long. journald splits lines at 49,152 bytes.
const LONG: usize = 48_338;

/// Text that is longer than any limit of a collector. Wherever a collector splits it, its rest starts with a priority or
/// soon after one: `offset` from 0 to 2 shifts the text to each position.
fn long(offset: usize) -> String {
    format!("{}{} {FORGED}", "x".repeat(offset), "<2>".repeat(LONG / 3 + 700))
}

/// The texts, which between them end a line in every way that some reader knows.
fn texts() -> Vec<String> {
    let mut texts = vec![format!("{}<2>{FORGED}", "x".repeat(LONG))];
    texts.extend((0..3).map(long));
    let breaks = ["\n", "\r", "\r\n", "\u{2028}", "\u{2029}", "\u{85}", "\u{b}", "\u{c}", "\0", "\u{1b}[2K\u{1b}[1G"];
    texts.push(breaks.map(|end| format!("x{end}<2>{FORGED}{end}")).concat());
    // Each character is six bytes in a record.
    texts.push("\u{1}".repeat(20_000));
    texts.push("\u{2028}".repeat(20_000));
    texts.push("\u{1f600}\"\\".repeat(10_000));
    texts.push(format!("{}<!--XSUPERVISOR:BEGIN-->{FORGED}<!--XSUPERVISOR:END-->", "x".repeat(8_192)));
    texts
}

/// Requests that put such texts where a client can, and where an application logs what a client sent.
fn requests(client: Client) -> Vec<Request> {
    let run = |steps: Value, finish: Value| client.post("/probe/run").json(&json!({"steps": steps, "finish": finish}));
    let mut requests = vec![];
    for text in texts() {
        let mut encoded = percent_encoded(&text);
        // The HTTP parser refuses longer URLs.
        encoded.truncate(60_000);
        // A header's value has no control characters.
        let header: String = text.chars().filter(|c| !c.is_control() && c.is_ascii()).collect();
        requests.push(client.get("/probe/nowhere").header("user-agent", &header));
        requests.push(client.get("/probe/nowhere").header("x-forwarded-for", &header).header("referer", &header));
        requests.push(client.get(&format!("/probe/{encoded}")));
        requests.push(client.get(&format!("/probe/nowhere?q={encoded}")));
        requests.push(client.post("/probe/echo").body("text/plain", text.clone()));
        requests.push(client.post("/probe/echo").json(&json!({ "text": &text, &text: &text })));
        requests.push(client.post("/probe/echo").body("text/html", format!("<p>{text}</p>")));
        // One at a time: a larger body is refused.
        let steps = [
            json!({"do": "log", "level": "info", "message": &text}),
            json!({"do": "log", "level": "error", "message": "m", "error": &text}),
            json!({"do": "breadcrumb", "message": &text, "data": {&text: 1}}),
            json!({"do": "capture_event", "message": &text}),
            json!({"do": "capture_exception", "message": &text, "cause": &text}),
        ];
        requests.extend(steps.map(|step| run(json!([step]), json!({"respond": {"status": 200}}))));
        let body = json!({"respond": {"status": 200, "content_type": "text/plain", "body": &text}});
        requests.push(run(json!([]), body));
        requests.push(run(json!([]), json!({"error": &text, "cause": &text})));
        requests.push(run(json!([]), json!({"panic": &text})));
    }
    requests
}

/// Sends all of them, and returns how many records of each kind the probe writes, without those of the service itself.
#[track_caller]
pub fn attack(client: Client) -> Kinds {
    let requests = requests(client);
    for request in &requests {
        let reply = request.clone().send();
        assert!(reply.header("x-request-id").is_some(), "the HTTP parser refused a request: {}", reply.status);
    }
    let n = texts().len();
    let steps = [("line", 2 * n), ("breadcrumb", n), ("message", n), ("exception", n), ("uncaught", 2 * n)];
    steps.into_iter().chain([("response", requests.len())]).map(|(kind, n)| (kind.to_owned(), n)).collect()
}

/// How many records there are of each kind, without those of the service itself.
pub fn kinds(records: &[Value]) -> Kinds {
    let mut kinds = Kinds::new();
    for kind in records.iter().filter_map(|record| record["kind"].as_str()).filter(|kind| *kind != "service") {
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    kinds
}

/// The probe, which writes what a client sends, and each failure however often it occurs.
pub fn probe() -> Service {
    Service::new(probe_app()).env("APP__LOG__REQUEST__BODY", "redacted").env("APP__LOG__FLOOD__LIMIT", "1000")
}
