//! What goes wrong around the service, done to the real binary with a load running. `TABLE` is what ARCHITECTURE.md tells
//! of it.

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

/// Each fault, what happens, what is lost at most, and the test that shows it.
pub const TABLE: &[(&str, &str, &str, &str)] = &[
    (
        "the reader of stderr stalls",
        "requests go on; the queue fills, responses are refused first",
        "what is counted by kind, said once it reads again",
        "stderr_reader::a_stalled_reader_does_not_delay_requests",
    ),
    (
        "the reader of stderr dies, or stderr is closed",
        "requests go on; each batch is tried again, then counted",
        "the records until somebody reads again",
        "stderr_reader::requests_continue_after_supervisord_is_killed, stderr_reader::a_new_reader_receives_the_count_of_lost_records, \
         stderr_reader::the_service_runs_with_a_closed_stderr",
    ),
    (
        "Sentry is down, at the start or later",
        "events go to the spool and are sent again, the oldest first, with their ids",
        "nothing",
        "sentry::spooled_events_arrive_when_sentry_recovers, spool::the_next_process_sends_spooled_events",
    ),
    (
        "Sentry hangs, drips, or answers 429, 500 or garbage",
        "the same; it is left alone for 1 s, doubling up to 30 s, or as long as it says",
        "nothing",
        "sentry::every_event_is_accounted_for_whatever_sentry_does, \
         sentry::a_quota_response_pauses_sending",
    ),
    (
        "Sentry refuses for good (400, 403, 413)",
        "the event goes to stderr in full",
        "nothing",
        "sentry::every_event_is_accounted_for_whatever_sentry_does",
    ),
    (
        "there is no spool, or it cannot be written",
        "events that cannot be sent go to stderr in full",
        "nothing",
        "spool::an_unwritable_spool_sends_events_to_stderr, and `sentry_fallback`",
    ),
    (
        "the spool is full, or its events too old",
        "the oldest go, counted and said",
        "what is counted",
        "spool::a_full_spool_evicts_and_counts_the_oldest_events",
    ),
    (
        "a file in the spool is corrupt, or not ours",
        "it is put into `aside/` and said; the others are sent",
        "the corrupt event",
        "spool::invalid_spool_files_are_quarantined",
    ),
    (
        "Sentry fails at one event, and takes all others",
        "after three tries the others pass it by",
        "nothing, until it is too old",
        "spool::one_failing_event_does_not_block_the_others",
    ),
    ("1,000 failures in a burst", "all of them arrive", "nothing", "sentry::a_thousand_failures_in_a_burst_all_arrive"),
    (
        "one failure over and over",
        "100 reports of it in 10 s are told, on stderr and in Sentry, then their count",
        "the details of the others, counted",
        "flood_limit::a_flood_is_counted_and_other_errors_are_reported",
    ),
    (
        "a client leaves in the middle of a write",
        "what it has begun is finished; its response is aborted, and a failure after it is reported as its own",
        "nothing that was acknowledged",
        "client_disconnects::acknowledged_writes_are_stored_on_slow_postgres, client_disconnects::acknowledged_writes_are_stored_on_sqlite, \
         detached_transactions::a_failed_commit_after_disconnect_is_reported_once",
    ),
    (
        "clients ask and leave at once, over and over",
        "whoever waits is answered as before",
        "nothing",
        "starvation::disconnects_do_not_starve_waiting_clients_on_postgres",
    ),
    (
        "PostgreSQL cannot be used for a while",
        "503 with Retry-After, at once when it is known; each cause is told once in log.flood.window_s; it goes on by itself",
        "the requests, counted",
        "database_outages::the_service_recovers_from_a_stopped_server, \
         database_outages::the_service_recovers_from_an_exhausted_connection_limit, \
         database_outages::the_service_recovers_from_a_changed_password, \
         database_outages::the_service_recovers_from_a_stalled_network",
    ),
    (
        "a panic, on any thread",
        "a record and an event; a handler's request is answered 500",
        "nothing",
        "panics::a_panic_on_any_thread_is_reported",
    ),
    (
        "a panic that ends the process: a second one, or with panic=abort",
        "up to 2 s are spent on the last words",
        "the requests in hand",
        "panics::a_double_panic_is_written_before_the_abort, panics::panic_abort_writes_the_panic_before_the_abort",
    ),
    (
        "SIGTERM in any of these",
        "it ends within server.shutdown_timeout_s: requests 5/8 of it, then stacks, Sentry, stderr",
        "what a stalled stderr does not take: its count is kept in the spool",
        "stderr_reader::shutdown_does_not_wait_for_a_stalled_reader_or_sentry, and each of the above",
    ),
    (
        "SIGTERM while a transaction is open whose client has left",
        "it is waited for as a request in hand is, and rolled back then",
        "what is counted",
        "detached_transactions::shutdown_waits_for_a_detached_postgres_transaction, \
         detached_transactions::shutdown_rolls_back_and_counts_unfinished_transactions",
    ),
    (
        "SIGKILL",
        "every line that is complete is valid",
        "the queue (log.stderr.queue_bytes) and the events in memory",
        "stderr_reader::sigkill_loses_at_most_the_queue",
    ),
];

/// The rows of ARCHITECTURE.md.
pub fn rows() -> String {
    let mut text =
        String::from("| fault | what happens | what is lost at most | shown by |\n| --- | --- | --- | --- |\n");
    for (fault, happens, lost, test) in TABLE {
        text.push_str(&format!("| {fault} | {happens} | {lost} | {test} |\n"));
    }
    text
}

/// Each row names tests that there are.
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

/// The longest that a stop may take, and a little for a busy machine.
const MAX_STOP_TIME: Duration = Duration::from_secs(9);
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
fn report_load(what: &str, stats: &LoadStats) {
    figures::print(&format!(
        "{what}: {} answers, p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        stats.completed(),
        stats.percentile(50),
        stats.percentile(99),
        stats.percentile(100)
    ));
    assert_eq!(stats.failed, 0, "{what}");
    assert!(stats.completed() > 0, "{what}");
    assert!(stats.percentile(100) < 5000.0, "{what}: a request was stalled");
}
