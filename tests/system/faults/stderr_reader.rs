//! The reader of stderr stalls, dies, or does not exist.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::load::Load;
use system_tests::peers::bad_sentry::{BadSentry, Behaviour};
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;
use system_tests::{figures, process_guard, records, wait};

use super::sentry::capture;
use super::{MAX_STOP_TIME, PAUSE, dropped, healthy, report_load};
use crate::supervised::Supervised;
use crate::support::{of_kind, probe, probe_app, run};

/// A small queue that fills quickly.
const QUEUE: (&str, &str) = ("APP__LOG__STDERR__QUEUE_BYTES", "262144");

fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // An orphan may remain as a zombie until it is reaped.
    stat.rsplit(')').next().is_none_or(|rest| rest.is_empty() || rest.trim_start().starts_with('Z'))
}

#[track_caller]
fn wait_end(pid: u32) {
    let began = Instant::now();
    wait::until("the service to end", MAX_STOP_TIME, || has_ended(pid).then_some(()));
    figures::print(&format!("shutdown took {:.1} s", began.elapsed().as_secs_f64()));
}

#[test]
fn a_stalled_reader_does_not_delay_requests() {
    let supervised = Supervised::start(&[QUEUE]);
    let load = Load::start(supervised.child.port(), 2, PAUSE, &healthy(1000));
    let part = |time: u64| {
        sleep(Duration::from_secs(time));
        load.take_stats()
    };
    let before = part(2);
    supervised.supervisor.signal("STOP");
    let during = part(10);
    supervised.supervisor.signal("CONT");
    let after = part(2);
    for (what, stats) in [("before the stall", &before), ("10 s stall", &during), ("after the stall", &after)] {
        report_load(what, stats);
    }
    let rest = load.stop();
    let answered = before.completed() + during.completed() + after.completed() + rest.completed();
    let records = supervised.stop();
    let delivered = of_kind(&records, "response").len() as u64;
    let counted = dropped(&records, "response");
    figures::print(&format!("{answered} responses = {delivered} delivered + {counted} counted"));
    assert_eq!(delivered + counted, answered as u64);
    assert!(counted > 0, "the queue was full");
    assert_eq!(dropped(&records, "line"), 0, "response records are dropped first");
}

#[test]
fn shutdown_does_not_wait_for_a_stalled_reader_or_sentry() {
    let sentry = BadSentry::start(Behaviour::Hang);
    let scratch = Scratch::new("spool");
    let spool = scratch.join("spool");
    let path = spool.to_str().expect("a path in UTF-8");
    let environment = [QUEUE, ("SENTRY_DSN", &sentry.dsn()), ("APP__SENTRY__SPOOL_DIR", path)];
    let supervised = Supervised::start(&environment);
    let pid = supervised.supervisor.program_pid("probe");
    supervised.supervisor.signal("STOP");
    let mut script = healthy(3000);
    script["steps"] = capture()["steps"].clone();
    let load = Load::start(supervised.child.port(), 2, PAUSE, &script);
    sleep(Duration::from_secs(3));
    let stats = load.stop();
    report_load("3 s stall and a hanging Sentry", &stats);
    process_guard::signal(pid, "TERM");
    wait_end(pid);
    let files = fs::read_dir(&spool).expect("it exists").flatten().filter(|file| file.path().is_file());
    let envelopes: Vec<String> = files.map(|file| scratch::read(&file.path())).collect();
    let losses = envelopes.iter().find(|it| it.contains("records not written to stderr before shutdown"));
    let losses = losses.and_then(|envelope| serde_json::from_str::<Value>(envelope.lines().nth(2)?).ok());
    let losses = losses.expect("the spool contains the losses");
    assert_eq!(envelopes.len(), stats.completed() + 1, "every event is spooled, plus one for the losses");
    supervised.supervisor.signal("CONT");
    wait::until("supervisord to reap its child", MAX_STOP_TIME, || {
        (supervised.supervisor.status("probe") != "RUNNING").then_some(())
    });
    // The content of the pipe; the last line may be incomplete.
    let records = records::parse(&scratch::read(&supervised.child.log()));
    let delivered = of_kind(&records, "response").len() as u64 + dropped(&records, "response");
    let counted = losses["extra"]["dropped"]["response"].as_u64().unwrap_or_default();
    let answered = stats.completed() as u64;
    figures::print(&format!("{answered} responses = {delivered} delivered + {counted} counted in the spool"));
    // Records of the current batch that reached the pipe are counted, too.
    assert!((answered..=answered + 30).contains(&(delivered + counted)));
}

#[test]
fn requests_continue_after_supervisord_is_killed() {
    let mut supervised = Supervised::start(&[QUEUE]);
    let pid = supervised.supervisor.program_pid("probe");
    let load = Load::start(supervised.child.port(), 2, PAUSE, &healthy(1000));
    sleep(Duration::from_secs(1));
    report_load("under supervisord", &load.take_stats());
    supervised.supervisor.kill9();
    sleep(Duration::from_secs(3));
    report_load("after supervisord was killed", &load.stop());
    process_guard::signal(pid, "TERM");
    wait_end(pid);
}

#[test]
fn a_new_reader_receives_the_count_of_lost_records() {
    let scratch = Scratch::new("fifo");
    let fifo = scratch.join("stderr");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("there is mkfifo").success());
    let service = Service::new(Path::new("/bin/sh")).arg("-c").arg("exec \"$0\" 2>\"$1\"").arg(probe_app()).arg(&fifo);
    // Opening a FIFO for writing blocks until there is a reader, so the reader starts first.
    let path = fifo.clone();
    let first = std::thread::spawn(move || {
        let mut line = String::new();
        BufReader::new(File::open(path).expect("it exists")).read_line(&mut line).expect("there is a start record");
        line
    });
    let service = service.start();
    assert!(first.join().expect("the reader does not panic").contains("listening on"));
    // Longer than the service waits for a reader to return.
    let gone = Instant::now();
    while gone.elapsed() < Duration::from_secs(3) {
        run(service.client(), json!([]), Value::Null);
    }
    let mut reader = BufReader::new(File::open(&fifo).expect("it exists"));
    let mut lines = Vec::new();
    // Each request triggers another attempt to write.
    while dropped(&lines, "response") == 0 {
        assert!(lines.len() < 1000, "the losses were not reported");
        run(service.client(), json!([]), Value::Null);
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line arrives");
        lines.push(serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}")));
    }
    figures::print(&format!("a new reader receives the count of {} lost records", dropped(&lines, "response")));
}

#[test]
fn the_service_runs_with_a_closed_stderr() {
    let service = Service::new(Path::new("/bin/sh")).arg("-c").arg("exec \"$0\" 2>&-").arg(probe_app()).start();
    let load = Load::start(service.port, 2, PAUSE, &healthy(1000));
    sleep(Duration::from_secs(1));
    report_load("closed stderr", &load.stop());
    let began = Instant::now();
    let stopped = service.stop();
    assert_eq!((stopped.code(), stopped.stderr.as_str()), (Some(0), ""));
    assert!(began.elapsed() < MAX_STOP_TIME);
}

#[test]
fn sigkill_loses_at_most_the_queue() {
    let service = probe().env(QUEUE.0, QUEUE.1).start();
    let load = Load::start(service.port, 4, Duration::ZERO, &healthy(1000));
    sleep(Duration::from_secs(2));
    service.signal("KILL");
    let answered = load.take_stats().completed();
    drop(load);
    // Panics if a complete line is not JSON.
    let delivered = of_kind(&service.records(), "response").len();
    let lost = answered.saturating_sub(delivered);
    let bound = 262_144 / 1000;
    figures::print(&format!(
        "SIGKILL under load: {answered} responses, {delivered} delivered, at most {bound} may be lost"
    ));
    assert!(lost <= bound, "{lost} were lost");
}
