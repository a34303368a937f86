//! What goes wrong around the service, done to the real binary with a load running. `TABLE` is what ARCHITECTURE.md tells
//! of it.

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

/// Each fault, what happens, what is lost at most, and the test that shows it.
pub const TABLE: &[(&str, &str, &str, &str)] = &[
    (
        "the reader of stderr stalls",
        "requests go on; the queue fills, responses are refused first",
        "what is counted by kind, said once it reads again",
        "reader::a_reader_that_stalls_is_not_felt",
    ),
    (
        "the reader of stderr dies, or stderr is closed",
        "requests go on; each batch is tried again, then counted",
        "the records until somebody reads again",
        "reader::a_supervisord_that_is_killed_takes_nothing_with_it, reader::a_new_reader_is_told_what_was_lost, \
         reader::a_closed_stderr_is_no_reason_not_to_serve",
    ),
    (
        "Sentry is down, at the start or later",
        "events go to the spool and are sent again, the oldest first, with their ids",
        "nothing",
        "sentry::what_it_missed_arrives_when_it_is_back, spool::what_one_process_left_the_next_one_sends",
    ),
    (
        "Sentry hangs, drips, or answers 429, 500 or garbage",
        "the same; it is left alone for 1 s, doubling up to 30 s, or as long as it says",
        "nothing",
        "sentry::whatever_it_does_requests_go_on_and_every_event_is_accounted_for, \
         sentry::over_its_quota_it_is_left_alone",
    ),
    (
        "Sentry refuses for good (400, 403, 413)",
        "the event goes to stderr in full",
        "nothing",
        "sentry::whatever_it_does_requests_go_on_and_every_event_is_accounted_for",
    ),
    (
        "there is no spool, or it cannot be written",
        "events that cannot be sent go to stderr in full",
        "nothing",
        "spool::one_that_cannot_be_written_is_no_silence, and `silence`",
    ),
    (
        "the spool is full, or its events too old",
        "the oldest go, counted and said",
        "what is counted",
        "spool::the_oldest_make_room_and_are_counted",
    ),
    (
        "a file in the spool is corrupt, or not ours",
        "it is put into `aside/` and said; the others are sent",
        "the corrupt event",
        "spool::what_is_no_event_is_put_aside",
    ),
    (
        "Sentry fails at one event, and takes all others",
        "after three tries the others pass it by",
        "nothing, until it is too old",
        "spool::one_event_that_sentry_fails_at_does_not_keep_the_others",
    ),
    ("1,000 failures in a burst", "all of them arrive", "nothing", "sentry::a_thousand_failures_in_a_burst_all_arrive"),
    (
        "one failure over and over",
        "100 reports of it in 10 s are told, on stderr and in Sentry, then their count",
        "the details of the others, counted",
        "crowding::a_flood_is_counted_and_crowds_nobody_out",
    ),
    (
        "a client leaves in the middle of a write",
        "what it has begun is finished; its response is aborted, and a failure after it is reported as its own",
        "nothing that was acknowledged",
        "hangups::on_a_slow_postgresql_acknowledged_is_stored, hangups::on_sqlite_acknowledged_is_stored, \
         left::a_commit_that_fails_after_its_client_has_left_is_reported_once",
    ),
    (
        "clients ask and leave at once, over and over",
        "whoever waits is answered as before",
        "nothing",
        "starvation::on_postgresql_who_waits_is_answered_whoever_leaves",
    ),
    (
        "PostgreSQL cannot be used for a while",
        "503 with Retry-After, at once when it is known; each cause is told once in log.flood.window_s; it goes on by itself",
        "the requests, counted",
        "outages::a_server_that_does_not_run_is_told_and_survived, \
         outages::a_role_without_connections_left_is_told_and_survived, \
         outages::a_password_that_changes_is_told_and_survived, \
         outages::a_network_that_passes_nothing_on_is_told_and_survived",
    ),
    (
        "a panic, on any thread",
        "a record and an event; a handler's request is answered 500",
        "nothing",
        "panics::a_panic_on_any_thread_is_told",
    ),
    (
        "a panic that ends the process: a second one, or with panic=abort",
        "up to 2 s are spent on the last words",
        "the requests in hand",
        "panics::a_second_panic_has_its_last_words, panics::with_panic_abort_the_last_words_are_written",
    ),
    (
        "SIGTERM in any of these",
        "it ends within server.shutdown_timeout_s: requests 5/8 of it, then stacks, Sentry, stderr",
        "what a stalled stderr does not take: its count is kept in the spool",
        "reader::a_stop_waits_neither_for_a_reader_that_stalls_nor_for_sentry, and each of the above",
    ),
    (
        "SIGTERM while a transaction is open whose client has left",
        "it is waited for as a request in hand is, and rolled back then",
        "what is counted",
        "left::the_stop_waits_for_a_transaction_on_postgresql_whose_client_has_left, \
         left::what_outlasts_the_stop_on_postgresql_is_rolled_back_and_counted",
    ),
    (
        "SIGKILL",
        "every line that is complete is valid",
        "the queue (log.stderr.queue_bytes) and the events in memory",
        "reader::a_kill_loses_no_more_than_the_queue",
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
fn the_table_names_tests_that_there_are() {
    let sources = [
        ("crowding", include_str!("crowding.rs")),
        ("hangups", include_str!("hangups/mod.rs")),
        ("left", include_str!("left.rs")),
        ("outages", include_str!("outages.rs")),
        ("panics", include_str!("panics.rs")),
        ("reader", include_str!("reader.rs")),
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
