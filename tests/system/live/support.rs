//! A service whose log can be changed, and the change.

use serde_json::{Value, json};
use system_tests::http::Reply;
use system_tests::service::{Running, Service};

/// The token of the management listener.
pub const TOKEN: &str = "a-management-token-of-the-tests";

/// A service that takes changes over TCP.
pub fn controlled(service: Service) -> Service {
    service.env("APP__MANAGEMENT__TOKEN", TOKEN)
}

/// Sets an override.
#[track_caller]
pub fn put(service: &Running, id: &str, body: &Value) -> Reply {
    service.management().request("PUT", &format!("/log/overrides/{id}")).bearer(TOKEN).json(body).send()
}

/// Sets an override of the whole process for ten minutes.
#[track_caller]
pub fn set(service: &Running, id: &str, set: Value) {
    let reply = put(service, id, &json!({"set": set, "for": "10m", "reason": "a test"}));
    assert!(matches!(reply.status, 200 | 201), "{reply:?}");
}

/// Clears an override.
#[track_caller]
pub fn clear(service: &Running, id: &str) {
    let reply = service.management().delete(&format!("/log/overrides/{id}")).bearer(TOKEN).send();
    assert_eq!(reply.status, 204, "{reply:?}");
}

/// What `GET /log` answers.
#[track_caller]
pub fn log(service: &Running) -> Value {
    let reply = service.management().get("/log").bearer(TOKEN).send();
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

/// The changes among these records.
pub fn changes(records: &[Value]) -> Vec<&Value> {
    records.iter().filter(|record| record.get("change").is_some()).map(|record| &record["change"]).collect()
}
