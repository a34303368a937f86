//! The tables of docs/OPERATIONS.md: faults with the tests that prove each, exit statuses and signals.

use std::collections::BTreeSet;

use system_tests::scratch;

use super::{assert_test_exists, check};

const DOCUMENT: &str = "docs/OPERATIONS.md";

/// A fault as the operator meets it.
struct Fault {
    fault: &'static str,
    /// What the service does, and what it writes where.
    effect: &'static str,
    /// What is lost at most, and where its count appears.
    counted: &'static str,
    /// What to do.
    action: &'static str,
    /// The tests that prove it.
    tests: &'static [&'static str],
}

const FAULTS: &[Fault] = &[
    Fault {
        fault: "stderr's reader stalls (supervisord, journald)",
        effect: "Requests continue. The queue (`log.stderr.queue_bytes`) fills; then responses are dropped first, records below \
                 `warning` next.",
        counted: "`dropped` by kind, in a `service` warning as soon as stderr is read again. What shutdown cannot write is \
                  counted in an event in the spool.",
        action: "Find the reader: is its disk full, is it stopped? No restart of the service is needed.",
        tests: &[
            "faults::stderr_reader::a_stalled_reader_does_not_delay_requests",
            "faults::stderr_reader::shutdown_does_not_wait_for_a_stalled_reader_or_sentry",
        ],
    },
    Fault {
        fault: "stderr's reader is gone, stderr is closed, or its disk is full",
        effect: "Requests continue. Each batch is tried 5 times within a second, later batches once. A line that was cut \
                 ends there: the next record begins a line of its own.",
        counted: "All records until something reads again; then `dropped` by kind.",
        action: "Restart the reader, free the disk. When supervisord died, stop the service (SIGTERM) first: it still has the port.",
        tests: &[
            "faults::stderr_reader::a_new_reader_receives_the_count_of_lost_records",
            "faults::stderr_reader::requests_continue_after_supervisord_is_killed",
            "faults::stderr_reader::the_service_runs_with_a_closed_stderr",
            "faults::stderr_file::each_record_is_delivered_or_counted_around_a_full_file",
        ],
    },
    Fault {
        fault: "Sentry is down, at startup or later",
        effect: "Events are spooled and sent later, oldest first, with their ids. One `service` warning with `reason` at the \
                 beginning, one `service` info at the end.",
        counted: "Nothing is lost. The spool's files are the waiting events.",
        action: "Nothing. Watch the spool's size against `sentry.spool_max_bytes` and `sentry.spool_max_age_s`.",
        tests: &[
            "faults::sentry::spooled_events_arrive_when_sentry_recovers",
            "faults::spool::the_next_process_sends_spooled_events",
        ],
    },
    Fault {
        fault: "Sentry hangs, is slow, or answers 408, 429 or 5xx",
        effect: "As above. A request to Sentry lasts at most 5 s and is tried three times; then a pause of 1 s, doubling up to \
                 30 s, or as long as Sentry asks, up to an hour.",
        counted: "Nothing is lost.",
        action: "For 429: raise the project's quota, or lower `sentry.sample_rate` (`app log set`).",
        tests: &[
            "faults::sentry::every_event_is_accounted_for_whatever_sentry_does",
            "faults::sentry::a_quota_response_pauses_sending",
        ],
    },
    Fault {
        fault: "Sentry limits transactions, sessions or logs, or fails on them",
        effect: "They are dropped, not spooled. Events are sent before them and are not delayed.",
        counted: "`dropped` by category, in a `service` warning at most once a minute, and in Sentry's own statistics of \
                  discarded items.",
        action: "Raise the project's quota, or lower `sentry.traces_sample_rate`.",
        tests: &["faults::sentry_limits::a_limit_of_transactions_delays_no_error"],
    },
    Fault {
        fault: "an event is over 1 MiB, which Sentry refuses",
        effect: "It is trimmed before it is sent: the longest texts, which then end with `…`, then the oldest breadcrumbs, then \
                 extra data.",
        counted: "`truncated` in the event's extra data names what is incomplete.",
        action: "Capture less: lower `sentry.max_breadcrumbs`, shorten messages.",
        tests: &["sentry_event_size::an_event_over_a_mebibyte_is_stored"],
    },
    Fault {
        fault: "Sentry refuses an event for good (400, 403, 413)",
        effect: "The event is written to stderr in full: `service`, level error, with `reason` and `event`.",
        counted: "Nothing is lost.",
        action: "403: check the DSN with `app sentry test`. 413: this server's limit is below Sentry's 1 MiB; lower `sentry.max_breadcrumbs`.",
        tests: &[
            "faults::sentry::every_event_is_accounted_for_whatever_sentry_does",
            "sentry_fallback::a_rejected_event_is_written_to_stderr",
        ],
    },
    Fault {
        fault: "an event that is written to stderr is longer than `log.max_line_bytes`",
        effect: "It is written in parts: `service` records with `event_id`, `part`, `parts` and `event_part`.",
        counted: "Nothing is lost. A part that stderr does not accept is counted in `dropped`.",
        action: "Join the texts in `event_part` in the order of `part`; the command is below, at the spool.",
        tests: &["record_size::an_undelivered_event_is_written_in_parts"],
    },
    Fault {
        fault: "a client sends a very long path, header or body",
        effect: "The record is cut to `log.max_path_bytes`, `log.max_header_bytes` and `log.max_line_bytes`; `truncated` names \
                 what was cut.",
        counted: "The rest of the text.",
        action: "Nothing. `client.address` shows who it is.",
        tests: &[
            "record_size::a_long_user_agent_cannot_forge_a_journal_entry",
            "record_size::a_long_path_and_query_are_cut_and_named",
        ],
    },
    Fault {
        fault: "there is no spool, its disk is full, or it cannot be written",
        effect: "Each event that cannot be sent is written to stderr in full, as above; `reason` has the error of the disk.",
        counted: "Nothing is lost.",
        action: "Set `sentry.spool_dir`; free the disk; give the service's user the directory.",
        tests: &[
            "faults::spool::an_unwritable_spool_sends_events_to_stderr",
            "sentry_fallback::a_refused_connection_writes_the_event_to_stderr",
        ],
    },
    Fault {
        fault: "the spool is full, or its events are too old",
        effect: "The oldest events are deleted.",
        counted: "`dropped` with the key `event`, in a `service` warning once a second.",
        action: "Raise `sentry.spool_max_bytes` or `sentry.spool_max_age_s`; restore Sentry.",
        tests: &["faults::spool::a_full_spool_evicts_and_counts_the_oldest_events"],
    },
    Fault {
        fault: "a file in the spool is damaged, or not an event",
        effect: "It is moved to `quarantine/` in the spool; a `service` warning names it. The other events are sent.",
        counted: "The damaged event.",
        action: "Look at the file, then delete it: nothing reads `quarantine/`.",
        tests: &["faults::spool::invalid_spool_files_are_quarantined"],
    },
    Fault {
        fault: "Sentry fails on one event and accepts the others",
        effect: "After three failures the other events are sent before it.",
        counted: "Nothing, until the event is too old.",
        action: "Nothing, or delete the oldest file of the spool.",
        tests: &["faults::spool::one_failing_event_does_not_block_the_others"],
    },
    Fault {
        fault: "1,000 failures within the limit",
        effect: "All are written and sent: up to `log.flood.limit` reports of one failure, and any number of different ones.",
        counted: "Nothing is lost.",
        action: "Nothing.",
        tests: &["faults::sentry::a_thousand_failures_in_a_burst_all_arrive"],
    },
    Fault {
        fault: "the same failure over and over",
        effect: "In each `log.flood.window_s` the first `log.flood.limit` reports are written and sent; all responses are \
                 recorded.",
        counted: "The other reports: `dropped` by kind with `exception.type` and `transaction`, and `suppressed` in an event.",
        action: "Fix the failure. The counts tell how often it happened.",
        tests: &[
            "faults::flood_limit::a_flood_is_counted_and_other_errors_are_reported",
            "faults::flood_limit::the_count_is_logged_when_the_window_ends",
        ],
    },
    Fault {
        fault: "the database is unavailable while the service runs",
        effect: "503 with `Retry-After`, at once when it is known; `/health/ready` is 503. One `uncaught` record and one event for \
                 each cause and window; each response is recorded at level error. It recovers without a restart.",
        counted: "The other failures: `dropped` with the key `uncaught`.",
        action: "The `uncaught` record names the cause: refused, timeout, password, connections exhausted, read-only.",
        tests: &[
            "faults::database_outages::the_service_recovers_from_a_stopped_server",
            "faults::database_outages::the_service_recovers_from_an_exhausted_connection_limit",
            "faults::database_outages::the_service_recovers_from_a_changed_password",
            "faults::database_outages::the_service_recovers_from_a_stalled_network",
        ],
    },
    Fault {
        fault: "the database is unavailable at startup, or a port is taken",
        effect: "One `service` record of level critical names it; exit status 69 after a second, and supervisord tries again.",
        counted: "–",
        action: "The message names the setting, the database or the address.",
        tests: &[
            "lifecycle::an_unusable_database_is_reported_in_one_line",
            "lifecycle::a_port_in_use_is_reported",
            "deploy::an_unavailable_port_is_retried",
        ],
    },
    Fault {
        fault: "a newer version has changed the database's schema",
        effect: "The start is refused with exit status 78; the message names the version.",
        counted: "–",
        action: "Start the newer version again, or restore a backup of the database.",
        tests: &["database::schema_version::a_downgrade_reports_the_schemas_version_on_postgres"],
    },
    Fault {
        fault: "a migration was changed or removed after it had run",
        effect: "The start is refused with exit status 78; the message names the migration.",
        counted: "–",
        action: "Restore the file in the sources, and add a new migration instead.",
        tests: &["database::separate_migrations::a_start_waits_for_the_migrations_of_the_command"],
    },
    Fault {
        fault: "migrations are pending, and `database.migrate_at_start` is false",
        effect: "The start is refused with exit status 69 after a second: a start after the migration succeeds. The message has the \
                 versions by blueprint.",
        counted: "–",
        action: "Run `app db migrate` with the same settings.",
        tests: &[
            "database::separate_migrations::a_start_waits_for_the_migrations_of_the_command",
            "database::separate_migrations::a_running_service_is_not_disturbed_by_a_migration",
        ],
    },
    Fault {
        fault: "an invalid setting at startup",
        effect: "One message on stderr, no JSON: the key, the layer that set it, and what is allowed. Exit status 78; supervisord \
                 does not try again.",
        counted: "–",
        action: "Correct it; `app config --check` tests it without a start.",
        tests: &[
            "command::invalid_settings_are_reported_with_source_and_fix",
            "deploy::an_invalid_setting_is_not_retried",
        ],
    },
    Fault {
        fault: "an invalid file at a reload (SIGHUP, `config.watch_s`)",
        effect: "Nothing changes. A `service` record of level error: `change.action` `refused`, with file, key and reason.",
        counted: "–",
        action: "Correct the file and send SIGHUP again.",
        tests: &["live::reload::an_invalid_file_is_rejected_with_a_reason"],
    },
    Fault {
        fault: "too few file descriptors",
        effect: "Few: a `service` warning after startup, further connections wait, health checks still work. Too few: exit \
                 status 78.",
        counted: "–",
        action: "Raise the limit (`ulimit -n`, `LimitNOFILE=`, `minfds=`).",
        tests: &[
            "database::file_descriptors::too_low_a_descriptor_limit_stops_the_start",
            "database::file_descriptors::health_responds_when_descriptors_are_exhausted",
        ],
    },
    Fault {
        fault: "more requests than a limit or the hashing queue allows",
        effect: "429, or 503, with `Retry-After`. Response records of level warning; no failure, no event.",
        counted: "`refused` by status and `routes`, in a `service` warning per `log.flood.window_s`.",
        action: "`client.address` in the response records shows who it is. Adjust the limits, or add processes.",
        tests: &[
            "http::load_shedding::rejections_have_retry_after_and_are_not_failures",
            "password_hashing::a_full_queue_rejects_immediately",
        ],
    },
    Fault {
        fault: "a handler does not respond in time",
        effect: "It is ended after `server.handler_timeout_s`: 503, one `uncaught` record, one event.",
        counted: "–",
        action: "`http.route` names the handler; `log.on_failure.level` shows the lines before it.",
        tests: &["http::handler_timeout::a_hung_handler_gets_503_and_one_report"],
    },
    Fault {
        fault: "a worker thread is blocked for good, or the management listener does not respond",
        effect: "Requests of that worker wait. With a watchdog (systemd): a `service` record of level error after half of its time; \
                 after all of it systemd ends the process (SIGABRT) and starts it again.",
        counted: "As for SIGKILL.",
        action: "The records before it show which requests did not end. Blocking work belongs in `cyanotype::block`.",
        tests: &["service_manager::the_watchdog_is_not_fed_while_a_worker_is_blocked"],
    },
    Fault {
        fault: "a client disconnects during a request",
        effect: "A response record with `outcome` `aborted`. A database transaction that has begun is finished; if it fails, that \
                 is one `uncaught` record.",
        counted: "Nothing that was acknowledged is lost.",
        action: "Nothing.",
        tests: &[
            "faults::client_disconnects::acknowledged_writes_are_stored_on_slow_postgres",
            "faults::client_disconnects::acknowledged_writes_are_stored_on_sqlite",
            "faults::detached_transactions::a_failed_commit_after_disconnect_is_reported_once",
        ],
    },
    Fault {
        fault: "a panic on any thread",
        effect: "500 for its request; one `uncaught` record with place, thread and stack, and one event of level fatal. The \
                 process continues.",
        counted: "Nothing is lost.",
        action: "`exception.location` and `exception.stacktrace` show the place.",
        tests: &[
            "faults::panics::a_panic_on_any_thread_is_reported",
            "faults::panics::the_text_of_any_payload_is_reported_once",
        ],
    },
    Fault {
        fault: "a panic while the service starts or stops",
        effect: "The other blueprints stop, what was captured is delivered. One `uncaught` record, one event, then one `service` \
                 record of level critical with the reason; exit status 70.",
        counted: "Nothing is lost.",
        action: "`exception.location` and `exception.stacktrace` show the place.",
        tests: &[
            "faults::last_words::a_panic_before_serving_is_recorded_and_sent",
            "faults::last_words::a_panic_while_a_blueprint_stops_is_recorded_and_sent",
            "faults::last_words::an_event_captured_before_a_failed_start_arrives",
        ],
    },
    Fault {
        fault: "a listener ends by itself, or a worker cannot start",
        effect: "The service stops as after a signal; the last record names the listener; exit status 70.",
        counted: "Nothing is lost.",
        action: "An `uncaught` record before it shows the cause.",
        tests: &["faults::last_words::a_panic_on_a_worker_that_cannot_start_ends_the_process"],
    },
    Fault {
        fault: "a panic during a panic, or a build with `panic=abort`",
        effect: "Up to 2 s are spent on delivering the last records and events; the process is aborted (SIGABRT).",
        counted: "The requests in flight, without a count.",
        action: "The last `uncaught` record is the cause.",
        tests: &[
            "faults::panics::a_double_panic_is_written_before_the_abort",
            "faults::panics::panic_abort_writes_the_panic_before_the_abort",
        ],
    },
    Fault {
        fault: "SIGKILL, or the kernel's OOM killer",
        effect: "Nothing is written. Every complete line is valid; events in memory are lost, spooled ones are not.",
        counted: "At most the queue of stderr (`log.stderr.queue_bytes`) and the events in memory (32 MiB), without a count.",
        action: "Look at the kernel's log. The database needs no repair.",
        tests: &["faults::stderr_reader::sigkill_loses_at_most_the_queue"],
    },
    Fault {
        fault: "a stop or a restart while a load balancer sends requests",
        effect: "For `server.drain_s` readiness is 503, and requests are still answered, each with `connection: close`. Then connections are refused.",
        counted: "Nothing if the balancer notices within `server.drain_s`. Otherwise requests that arrive on a connection as it is closed; the service never sees them.",
        action: "Set `server.drain_s` to more than the balancer's checks take to fail (see Shutdown).",
        tests: &[
            "drain::a_draining_service_is_live_and_not_ready_and_serves",
            "drain::each_answer_during_the_drain_closes_its_connection",
            "drain::the_listener_closes_while_requests_finish",
        ],
    },
    Fault {
        fault: "SIGTERM while a transaction outlasts its share of the shutdown",
        effect: "Shutdown waits for it as for a request, then rolls it back; a `service` warning.",
        counted: "`rolled_back`.",
        action: "Raise `server.shutdown_timeout_s` (and supervisord's `stopwaitsecs`) where that happens regularly.",
        tests: &[
            "faults::detached_transactions::shutdown_waits_for_a_detached_postgres_transaction",
            "faults::detached_transactions::shutdown_rolls_back_and_counts_unfinished_transactions",
        ],
    },
    Fault {
        fault: "SIGTERM while a worker is blocked (a lock, a slow call outside `block`)",
        effect: "The other steps of the stop follow in time, and the sinks are flushed; requests on that worker end with the process.",
        counted: "`blocked_workers`.",
        action: "Find the call that blocks: use `block` for it.",
        tests: &["lifecycle::a_blocked_worker_does_not_delay_the_shutdown"],
    },
    Fault {
        fault: "the fleet's overrides cannot be reached (the database is unavailable)",
        effect: "`log set --fleet` gets 503 and nothing changes; overrides in effect hold until they expire. One `line` warning.",
        counted: "–",
        action: "Set the override per process without `--fleet`.",
        tests: &["live::fleet::overrides_are_rejected_while_the_database_is_down"],
    },
    Fault {
        fault: "a flood of invalid debug tokens",
        effect: "They change nothing; valid tokens still work.",
        counted: "`refused` by reason, in a `service` warning per `log.flood.window_s`.",
        action: "Many `expired`: issue new tokens. Many `forged`: somebody guesses, or the processes have different keys.",
        tests: &["live::debug_requests::forged_tokens_are_ignored_and_counted_in_one_warning"],
    },
];

/// Each exit status, who exits with it, and what it means.
const EXIT_STATUSES: &[(u8, &str, &str)] = &[
    (0, "service and commands", "success; of the service: stopped by a signal"),
    (1, "service", "a second SIGTERM, SIGINT or SIGQUIT"),
    (
        1,
        "commands",
        "the result is negative: the service refused the change, the fleet is incomplete, `redact check` found something, a check of `doctor` failed, the test event did not arrive, there is no such user, `health`: not live or not ready, `db status`: not current, `db backup`: the file cannot be written, or the command was stopped",
    ),
    (2, "commands", "wrong usage of the command line"),
    (66, "commands", "the input cannot be read: the file of `redact check`"),
    (
        69,
        "service",
        "something is unavailable that may be there at the next start: the database, a migration, a port, the socket, a blueprint's start",
    ),
    (
        69,
        "commands",
        "the running service (except by `health`) or the database cannot be reached, or a migration failed",
    ),
    (
        70,
        "service and commands",
        "a panic outside requests, or a listener that ended by itself: an error of the program",
    ),
    (
        78,
        "service and commands",
        "invalid configuration, or a schema of another version: another start will not help until it is changed",
    ),
];

/// Each signal, and what it does.
const SIGNALS: &[(&str, &str)] = &[
    (
        "SIGTERM",
        "shuts down gracefully, after `server.drain_s`, also while the service starts, then without a drain; a second one, or SIGINT \
         or SIGQUIT, ends the process at once with exit status 1, also during the drain",
    ),
    ("SIGINT", "as SIGTERM"),
    ("SIGQUIT", "as SIGTERM"),
    ("SIGHUP", "reads the settings again; one that arrives while the service starts, as soon as it has started"),
    ("SIGUSR1", "none; a `service` record names it"),
    ("SIGUSR2", "as SIGUSR1"),
    ("SIGXFSZ", "none; a file at its size limit is treated as a full disk"),
];

pub(super) fn rows(heading: &str, rows: impl IntoIterator<Item = String>) -> String {
    let columns = heading.matches('|').count() - 1;
    let mut text = format!("{heading}\n|{}\n", " --- |".repeat(columns));
    rows.into_iter().for_each(|row| text.push_str(&format!("{row}\n")));
    text
}

#[test]
fn the_fault_table_is_up_to_date_and_names_existing_tests() {
    for test in FAULTS.iter().flat_map(|fault| fault.tests) {
        assert_test_exists(DOCUMENT, test);
    }
    let faults = FAULTS.iter().map(|Fault { fault, effect, counted, action, tests }| {
        let tests: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
        format!("| {fault} | {effect} | {counted} | {action} | {} |", tests.join(", "))
    });
    check(
        DOCUMENT,
        "faults",
        &rows(
            "| fault | what happens, and what is written | lost at most, counted where | what to do | proved by |",
            faults,
        ),
    );
}

#[test]
fn the_exit_statuses_are_those_of_the_code() {
    let sources = ["crates/core/src/server/error.rs", "crates/app/src/command.rs"];
    let texts = sources.map(|source| scratch::read(&scratch::workspace().join(source)));
    let constants = texts.iter().flat_map(|text| text.lines()).filter_map(|line| {
        let (_, value) = line.trim().split_once(": u8 = ")?;
        value.trim_end_matches(';').parse::<u8>().ok()
    });
    // `ExitCode::SUCCESS`, `ExitCode::FAILURE`, and the second signal's.
    let in_code: BTreeSet<u8> = constants.chain([0, 1]).collect();
    let listed: BTreeSet<u8> = EXIT_STATUSES.iter().map(|(status, ..)| *status).collect();
    assert_eq!(listed, in_code, "left: {DOCUMENT}, right: the constants of {sources:?}");
    let statuses = EXIT_STATUSES.iter().map(|(status, of, meaning)| format!("| {status} | {of} | {meaning} |"));
    check(DOCUMENT, "exit statuses", &rows("| status | returned by | meaning |", statuses));
}

#[test]
fn the_signals_are_those_of_the_code() {
    let source = scratch::read(&scratch::workspace().join("crates/core/src/server/signals.rs"));
    let kinds = source.split("SignalKind::").skip(1).filter_map(|rest| rest.split_once("()").map(|(kind, _)| kind));
    let in_code: BTreeSet<String> = kinds.filter(|kind| !kind.starts_with("from_raw")).map(str::to_owned).collect();
    assert!(source.contains("from_raw(Number::XFSZ"), "tokio has no name for SIGXFSZ");
    let name = |signal: &str| match signal {
        "SIGQUIT" => "quit".to_owned(),
        "SIGUSR1" => "user_defined1".to_owned(),
        "SIGUSR2" => "user_defined2".to_owned(),
        "SIGTERM" => "terminate".to_owned(),
        "SIGINT" => "interrupt".to_owned(),
        "SIGHUP" => "hangup".to_owned(),
        other => other.to_lowercase(),
    };
    let named = SIGNALS.iter().filter(|(signal, _)| *signal != "SIGXFSZ");
    let listed: BTreeSet<String> = named.map(|(signal, _)| name(signal)).collect();
    assert_eq!(listed, in_code, "left: {DOCUMENT}, right: the signals that the service receives");
    check(
        DOCUMENT,
        "signals",
        &rows("| signal | effect |", SIGNALS.iter().map(|(it, effect)| format!("| {it} | {effect} |"))),
    );
}

/// The table is the one that documents the code; a unit test beside it holds the figures.
#[test]
fn the_shutdown_budget_is_that_of_the_code() {
    let source = scratch::read(&scratch::workspace().join("crates/core/src/server/shutdown_budget.rs"));
    let table = source.lines().filter_map(|line| line.trim().strip_prefix("/// |"));
    let table: String = table.map(|row| format!("|{row}\n")).collect();
    assert!(table.lines().count() > 3, "the shutdown budget's documentation has a table");
    check(DOCUMENT, "shutdown budget", &table);
}
