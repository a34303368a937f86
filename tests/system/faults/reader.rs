//! The reader of stderr stalls, dies, or was never there.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::load::Load;
use system_tests::peers::bad_sentry::{BadSentry, Manner};
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;
use system_tests::{figures, process_guard, records, wait};

use super::sentry::capture;
use super::{PAUSE, STOP, dropped, healthy, tell};
use crate::supervised::Supervised;
use crate::support::{of_kind, probe, probe_app, run};

/// A small queue, so that it fills soon.
const QUEUE: (&str, &str) = ("APP__LOG__STDERR__QUEUE_BYTES", "262144");

fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // An orphan may stay as a zombie until somebody asks for it.
    stat.rsplit(')').next().is_none_or(|rest| rest.is_empty() || rest.trim_start().starts_with('Z'))
}

#[track_caller]
fn wait_end(pid: u32) {
    let began = Instant::now();
    wait::until("the service to end", STOP, || has_ended(pid).then_some(()));
    figures::print(&format!("the stop took {:.1} s", began.elapsed().as_secs_f64()));
}

#[test]
fn a_reader_that_stalls_is_not_felt() {
    let supervised = Supervised::start(&[QUEUE]);
    let load = Load::start(supervised.child.port(), 2, PAUSE, &healthy(1000));
    let part = |time: u64| {
        sleep(Duration::from_secs(time));
        load.seen()
    };
    let before = part(2);
    supervised.supervisor.signal("STOP");
    let during = part(10);
    supervised.supervisor.signal("CONT");
    let after = part(2);
    for (what, seen) in [("before the stall", &before), ("10 s of stall", &during), ("after it", &after)] {
        tell(what, seen);
    }
    let rest = load.stop();
    let answered = before.answered() + during.answered() + after.answered() + rest.answered();
    let records = supervised.stop();
    let delivered = of_kind(&records, "response").len() as u64;
    let counted = dropped(&records, "response");
    figures::print(&format!("{answered} answers = {delivered} delivered + {counted} counted"));
    assert_eq!(delivered + counted, answered as u64);
    assert!(counted > 0, "the queue was full");
    assert_eq!(dropped(&records, "line"), 0, "responses go first");
}

#[test]
fn a_stop_waits_neither_for_a_reader_that_stalls_nor_for_sentry() {
    let sentry = BadSentry::start(Manner::Hang);
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
    let seen = load.stop();
    tell("3 s of stall and a Sentry that hangs", &seen);
    process_guard::signal(pid, "TERM");
    wait_end(pid);
    let files = fs::read_dir(&spool).expect("is there").flatten().filter(|file| file.path().is_file());
    let envelopes: Vec<String> = files.map(|file| scratch::read(&file.path())).collect();
    let told = envelopes.iter().find(|it| it.contains("records did not reach stderr before the stop"));
    let told = told.and_then(|envelope| serde_json::from_str::<Value>(envelope.lines().nth(2)?).ok());
    let told = told.expect("the losses are kept");
    assert_eq!(envelopes.len(), seen.answered() + 1, "every event is kept, and one more");
    supervised.supervisor.signal("CONT");
    wait::until("supervisord to see its child's end", STOP, || {
        (supervised.supervisor.status("probe") != "RUNNING").then_some(())
    });
    // What was in the pipe, the last line perhaps in part.
    let records = records::parse(&scratch::read(&supervised.child.log()));
    let delivered = of_kind(&records, "response").len() as u64 + dropped(&records, "response");
    let counted = told["extra"]["dropped"]["response"].as_u64().unwrap_or_default();
    let answered = seen.answered() as u64;
    figures::print(&format!("{answered} answers = {delivered} delivered + {counted} counted in the spool"));
    // Of the batch that was being written, what is in the pipe is counted all the same.
    assert!((answered..=answered + 30).contains(&(delivered + counted)));
}

#[test]
fn a_supervisord_that_is_killed_takes_nothing_with_it() {
    let mut supervised = Supervised::start(&[QUEUE]);
    let pid = supervised.supervisor.program_pid("probe");
    let load = Load::start(supervised.child.port(), 2, PAUSE, &healthy(1000));
    sleep(Duration::from_secs(1));
    tell("under supervisord", &load.seen());
    supervised.supervisor.kill9();
    sleep(Duration::from_secs(3));
    tell("after it was killed", &load.stop());
    process_guard::signal(pid, "TERM");
    wait_end(pid);
}

#[test]
fn a_new_reader_is_told_what_was_lost() {
    let scratch = Scratch::new("fifo");
    let fifo = scratch.join("stderr");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("there is mkfifo").success());
    let service = Service::new(Path::new("/bin/sh")).arg("-c").arg("exec \"$0\" 2>\"$1\"").arg(probe_app()).arg(&fifo);
    // It is opened for writing once there is a reader, so both have to begin.
    let path = fifo.clone();
    let first = std::thread::spawn(move || {
        let mut line = String::new();
        BufReader::new(File::open(path).expect("is there")).read_line(&mut line).expect("the start is said");
        line
    });
    let service = service.start();
    assert!(first.join().expect("the reader lives").contains("listening on"));
    // Longer than it waits for a reader to come back.
    let gone = Instant::now();
    while gone.elapsed() < Duration::from_secs(3) {
        run(service.client(), json!([]), Value::Null);
    }
    let mut reader = BufReader::new(File::open(&fifo).expect("is there"));
    let mut lines = Vec::new();
    // Each request is a chance for the log to flow again.
    while dropped(&lines, "response") == 0 {
        assert!(lines.len() < 1000, "nobody said what was lost");
        run(service.client(), json!([]), Value::Null);
        let mut line = String::new();
        reader.read_line(&mut line).expect("something comes");
        lines.push(serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}")));
    }
    figures::print(&format!("a new reader is told of {} lost records", dropped(&lines, "response")));
}

#[test]
fn a_closed_stderr_is_no_reason_not_to_serve() {
    let service = Service::new(Path::new("/bin/sh")).arg("-c").arg("exec \"$0\" 2>&-").arg(probe_app()).start();
    let load = Load::start(service.port, 2, PAUSE, &healthy(1000));
    sleep(Duration::from_secs(1));
    tell("without a stderr", &load.stop());
    let began = Instant::now();
    let stopped = service.stop();
    assert_eq!((stopped.code(), stopped.stderr.as_str()), (Some(0), ""));
    assert!(began.elapsed() < STOP);
}

#[test]
fn a_kill_loses_no_more_than_the_queue() {
    let service = probe().env(QUEUE.0, QUEUE.1).start();
    let load = Load::start(service.port, 4, Duration::ZERO, &healthy(1000));
    sleep(Duration::from_secs(2));
    service.signal("KILL");
    let answered = load.seen().answered();
    drop(load);
    // Every complete line is JSON, or this fails.
    let delivered = of_kind(&service.records(), "response").len();
    let lost = answered.saturating_sub(delivered);
    let bound = 262_144 / 1000;
    figures::print(&format!(
        "killed under load: {answered} answers, {delivered} delivered, at most {bound} may be lost"
    ));
    assert!(lost <= bound, "{lost} were lost");
}
