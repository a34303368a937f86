//! Faults around the service, caused while the real binary runs under load. docs/OPERATIONS.md lists them.

mod crowding;
mod hangups;
mod left;
pub mod outages;
mod panics;
mod reader;
mod sentry;
mod spool;
mod starvation;

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::figures;
use system_tests::load::Seen;

use crate::support::of_kind;

/// The longest that a stop may take, and a little for a busy machine.
const STOP: Duration = Duration::from_secs(9);
const PAUSE: Duration = Duration::from_millis(4);

/// A healthy answer of about this many bytes.
fn healthy(bytes: usize) -> Value {
    let body = json!({"text": "a".repeat(bytes)}).to_string();
    json!({"finish": {"respond": {"status": 200, "content_type": "application/json", "body": body}}})
}

/// How many records of this kind a service dropped, by what it said.
fn dropped(records: &[Value], kind: &str) -> u64 {
    of_kind(records, "service").iter().filter_map(|record| record["dropped"][kind].as_u64()).sum()
}

/// Says how a part of the load fared; no request of it may have failed.
#[track_caller]
fn tell(what: &str, seen: &Seen) {
    figures::print(&format!(
        "{what}: {} answers, p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        seen.answered(),
        seen.percentile(50),
        seen.percentile(99),
        seen.percentile(100)
    ));
    assert_eq!(seen.failed, 0, "{what}");
    assert!(seen.answered() > 0, "{what}");
    assert!(seen.percentile(100) < 5000.0, "{what}: a request was stalled");
}
