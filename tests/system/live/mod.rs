//! Log control of a running service: reading and changing the effective log policy.

mod audit;
mod authorization;
mod command;
mod debug_requests;
mod expiry;
mod fleet;
mod openapi;
mod overrides;
mod preview;
mod reload;
mod retroactive;
mod sinks;
mod socket;
mod switching;

use std::path::Path;

use serde_json::{Value, json};
use system_tests::http::{Reply, Request};
use system_tests::service::{Running, Service, Stopped};

use crate::support::probe;

const TOKEN: &str = "s3cret-token-of-the-management";

/// A probe with log control enabled.
fn service() -> Service {
    controlled(probe())
}

/// Enables log control.
fn controlled(service: Service) -> Service {
    service.env("APP__MANAGEMENT__TOKEN", TOKEN)
}

/// An operator's request to the management listener.
fn operator_request(service: &Running, method: &str, path: &str) -> Request {
    service.management().request(method, path).bearer(TOKEN)
}

#[track_caller]
fn put(service: &Running, id: &str, body: &Value) -> Reply {
    operator_request(service, "PUT", &format!("/log/overrides/{id}")).json(body).send()
}

/// Sets an override for the entire process.
#[track_caller]
fn set(service: &Running, id: &str, set: &Value) {
    let reply = put(service, id, &json!({"set": set, "for": "10m", "reason": "a test"}));
    assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
}

/// The response to `GET /log`.
#[track_caller]
fn state(service: &Running) -> Value {
    let reply = operator_request(service, "GET", "/log").send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// The request body of an override of `log.level`.
fn level(level: &str, lasts: &str) -> Value {
    json!({"set": {"log.level": level}, "for": lasts, "reason": "INC-421"})
}

/// The invalid fields in a problem response.
#[track_caller]
fn fields(reply: &Reply) -> Vec<String> {
    let problem = reply.json();
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{problem}");
    assert_eq!(problem["status"], reply.status);
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["field"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The `change` of each record that has one.
fn changes(records: &[Value]) -> Vec<Value> {
    records.iter().filter_map(|record| record.get("change").cloned()).collect()
}

/// Runs `app log …` against a service, with its token.
#[track_caller]
fn app_log(service: &Running, arguments: &[&str]) -> Stopped {
    let command = service.sibling().arg("log").env("APP__MANAGEMENT__PORT", service.management_port.to_string());
    arguments.iter().fold(command.env("APP__MANAGEMENT__TOKEN", TOKEN), |it, argument| it.arg(*argument)).run()
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
