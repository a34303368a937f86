//! Faults around the service, injected into the real binary under load. `TABLE` generates the fault table of the documents.

mod client_disconnects;
pub mod database_outages;
mod detached_transactions;
mod flood_limit;
mod panics;
mod sentry;
mod spool;
mod starvation;
mod stderr_reader;

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::figures;
use system_tests::load::LoadStats;

use crate::support::of_kind;

/// Each fault, the behaviour, the maximum loss, and the tests that verify it.
pub const TABLE: &[(&str, &str, &str, &str)] = &[
    (
        "the reader of stderr stalls",
        "requests continue; the queue fills, and response records are dropped first",
        "records, counted by kind and reported when the reader resumes",
        "stderr_reader::a_stalled_reader_does_not_delay_requests",
    ),
    (
        "the reader of stderr dies, or stderr is closed",
        "requests continue; each batch is retried, then dropped and counted",
        "the records until stderr has a reader again",
        "stderr_reader::requests_continue_after_supervisord_is_killed, stderr_reader::a_new_reader_receives_the_count_of_lost_records, \
         stderr_reader::the_service_runs_with_a_closed_stderr",
    ),
    (
        "Sentry is down, at startup or later",
        "events are spooled and sent later, oldest first, with the same ids",
        "nothing",
        "sentry::spooled_events_arrive_when_sentry_recovers, spool::the_next_process_sends_spooled_events",
    ),
    (
        "Sentry hangs, responds very slowly, or responds with 429, 500 or garbage",
        "the same; the service backs off for 1 s, doubling up to 30 s, or for the time that Sentry requests",
        "nothing",
        "sentry::every_event_is_accounted_for_whatever_sentry_does, \
         sentry::a_quota_response_pauses_sending",
    ),
    (
        "Sentry rejects an event permanently (400, 403, 413)",
        "the full event is written to stderr",
        "nothing",
        "sentry::every_event_is_accounted_for_whatever_sentry_does",
    ),
    (
        "there is no spool, or it is not writable",
        "full events that cannot be sent are written to stderr",
        "nothing",
        "spool::an_unwritable_spool_sends_events_to_stderr, and `sentry_fallback`",
    ),
    (
        "the spool is full, or its events are too old",
        "the oldest events are evicted, counted and reported",
        "the counted events",
        "spool::a_full_spool_evicts_and_counts_the_oldest_events",
    ),
    (
        "a file in the spool is corrupt, or not an event",
        "the file is quarantined and reported; the others are sent",
        "the corrupt event",
        "spool::invalid_spool_files_are_quarantined",
    ),
    (
        "Sentry fails on one event and accepts all others",
        "after three attempts the others are sent first",
        "nothing, until the event is too old",
        "spool::one_failing_event_does_not_block_the_others",
    ),
    ("1,000 failures in a burst", "all events arrive", "nothing", "sentry::a_thousand_failures_in_a_burst_all_arrive"),
    (
        "one failure repeats quickly",
        "100 reports in 10 s are written to stderr and sent to Sentry, then only their count",
        "the details of the counted reports",
        "flood_limit::a_flood_is_counted_and_other_errors_are_reported",
    ),
    (
        "a client disconnects during a write",
        "the transaction completes; the response is recorded as aborted, and a later failure is reported separately",
        "no acknowledged write",
        "client_disconnects::acknowledged_writes_are_stored_on_slow_postgres, client_disconnects::acknowledged_writes_are_stored_on_sqlite, \
         detached_transactions::a_failed_commit_after_disconnect_is_reported_once",
    ),
    (
        "clients send requests and disconnect immediately, repeatedly",
        "waiting clients are served as before",
        "nothing",
        "starvation::disconnects_do_not_starve_waiting_clients_on_postgres",
    ),
    (
        "PostgreSQL is temporarily unavailable",
        "503 with Retry-After, immediately once the outage is known; each cause is reported once per log.flood.window_s; the service recovers by itself",
        "the rejected requests, counted",
        "database_outages::the_service_recovers_from_a_stopped_server, \
         database_outages::the_service_recovers_from_an_exhausted_connection_limit, \
         database_outages::the_service_recovers_from_a_changed_password, \
         database_outages::the_service_recovers_from_a_stalled_network",
    ),
    (
        "a panic on any thread",
        "a record and an event; a panic in a handler is a 500 response",
        "nothing",
        "panics::a_panic_on_any_thread_is_reported",
    ),
    (
        "a panic that aborts the process: a double panic, or panic=abort",
        "the sinks are flushed for up to 2 s",
        "the requests in flight",
        "panics::a_double_panic_is_written_before_the_abort, panics::panic_abort_writes_the_panic_before_the_abort",
    ),
    (
        "SIGTERM during any of these",
        "the process exits within server.shutdown_timeout_s: 5/8 of it for requests, the rest for stacks, Sentry and stderr",
        "records that a stalled stderr does not accept; their count is stored in the spool",
        "stderr_reader::shutdown_does_not_wait_for_a_stalled_reader_or_sentry, and each of the above",
    ),
    (
        "SIGTERM while a transaction of a disconnected client is open",
        "shutdown waits for it like for a request in flight, then rolls it back",
        "the counted transactions",
        "detached_transactions::shutdown_waits_for_a_detached_postgres_transaction, \
         detached_transactions::shutdown_rolls_back_and_counts_unfinished_transactions",
    ),
    (
        "SIGKILL",
        "every complete line is valid",
        "the queue (log.stderr.queue_bytes) and the events in memory",
        "stderr_reader::sigkill_loses_at_most_the_queue",
    ),
];

/// The generated table.
pub fn rows() -> String {
    let mut text = String::from("| fault | behaviour | maximum loss | verified by |\n| --- | --- | --- | --- |\n");
    for (fault, happens, lost, test) in TABLE {
        text.push_str(&format!("| {fault} | {happens} | {lost} | {test} |\n"));
    }
    text
}

/// Each row names existing tests.
#[test]
fn the_table_names_existing_tests() {
    let sources = [
        ("flood_limit", include_str!("flood_limit.rs")),
        ("client_disconnects", include_str!("client_disconnects/mod.rs")),
        ("detached_transactions", include_str!("detached_transactions.rs")),
        ("database_outages", include_str!("database_outages.rs")),
        ("panics", include_str!("panics.rs")),
        ("stderr_reader", include_str!("stderr_reader.rs")),
        ("sentry", include_str!("sentry.rs")),
        ("spool", include_str!("spool.rs")),
        ("starvation", include_str!("starvation.rs")),
    ];
    let named = TABLE.iter().flat_map(|(_, _, _, tests)| tests.split([' ', ',']));
    for (module, test) in named.filter_map(|name| name.split_once("::")) {
        let source = sources.iter().find(|(name, _)| *name == module).map(|(_, source)| source);
        assert!(source.is_some_and(|source| source.contains(&format!("fn {test}()"))), "{module}::{test}");
    }
}

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
