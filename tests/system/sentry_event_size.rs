//! Events that are too large for Sentry are trimmed.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;

use crate::support::{breadcrumbs, event_message, of_kind, probe_with, run};

/// Sentry's limit.
const MAX_BYTES: usize = 1 << 20;

#[test]
fn an_event_over_a_mebibyte_is_stored() {
    let project = Bugsink::shared().project();
    let service = probe_with(&project).start();
    let long = |bytes: usize| "ä\n".repeat(bytes / 3);
    let crumb = |n: usize| json!({"do": "breadcrumb", "message": format!("{n} {}", long(30_000))});
    let steps = (0..50).map(crumb).chain([json!({"do": "capture_exception", "message": long(3_000_000)})]);
    let reply = run(service.client(), steps.collect(), Value::Null);
    assert_eq!(reply.status, 204);
    let event = project.wait_events(1, Duration::from_secs(30)).remove(0);
    let size = event.to_string().len();
    assert!(size > MAX_BYTES * 3 / 4 && size < MAX_BYTES * 5 / 4, "most of it is sent, not {size} bytes");
    let message = event_message(&event);
    assert!(message.starts_with("ä\nä") && message.ends_with('…'), "it is {} bytes long", message.len());
    assert_eq!(breadcrumbs(&event).len(), 50, "the texts are longer than the breadcrumbs are many");
    let truncated = event["extra"]["truncated"].to_string();
    assert!(truncated.contains("exception") && truncated.contains("breadcrumbs"), "{truncated}");
    let records = service.stop().records();
    assert!(of_kind(&records, "service").iter().all(|record| record.get("reason").is_none()), "it was not refused");
}
