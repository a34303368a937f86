//! Faults around the service, caused while the real binary runs under load. docs/OPERATIONS.md lists them.

mod client_disconnects;
pub mod database_outages;
mod detached_transactions;
mod flood_limit;
mod last_words;
mod panics;
mod sentry;
mod sentry_limits;
mod spool;
mod starvation;
mod stderr_file;
mod stderr_reader;

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::figures;
use system_tests::load::LoadStats;

use crate::support::of_kind;

/// The maximum duration of a shutdown, with a margin for a busy machine.
const MAX_STOP_TIME: Duration = Duration::from_secs(9);
const PAUSE: Duration = Duration::from_millis(4);

/// A script for a successful response of about this many bytes.
fn healthy(bytes: usize) -> Value {
    let body = json!({"text": "a".repeat(bytes)}).to_string();
    json!({"finish": {"respond": {"status": 200, "content_type": "application/json", "body": body}}})
}

/// The number of dropped records of this kind that the service reported.
fn dropped(records: &[Value], kind: &str) -> u64 {
    of_kind(records, "service").iter().filter_map(|record| record["dropped"][kind].as_u64()).sum()
}

/// Prints the statistics of a period of load; asserts that no request failed or stalled.
#[track_caller]
fn report_load(what: &str, stats: &LoadStats) {
    figures::print(&format!(
        "{what}: {} responses, p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        stats.completed(),
        stats.percentile(50),
        stats.percentile(99),
        stats.percentile(100)
    ));
    assert_eq!(stats.failed, 0, "{what}");
    assert!(stats.completed() > 0, "{what}");
    assert!(stats.percentile(100) < 5000.0, "{what}: a request was stalled");
}
