//! Under journald each line begins with its priority, so that the journal has the severity of every record.

use std::fs::File;
use std::io::Read;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::process_guard::{self, ProcessGuard};
use system_tests::scratch::Scratch;
use test_harness::env;

use crate::support::{probe, probe_app, run};

fn priority(level: &str) -> &'static str {
    match level {
        "critical" => "<2>",
        "error" => "<3>",
        "warning" => "<4>",
        "info" => "<6>",
        "debug" | "trace" => "<7>",
        other => panic!("no such level: {other}"),
    }
}

/// Runs the probe, which cannot start, with a socket as stderr. `stream` gets the socket's device and inode, and returns the value
/// of JOURNAL_STREAM.
fn failed_start(stream: impl Fn(u64, u64) -> String, variables: &[(&str, &str)], args: &[&str]) -> Vec<String> {
    let scratch = Scratch::new("journal");
    let (mut reader, writer) = UnixStream::pair().expect("a pair of sockets");
    let stderr = File::from(OwnedFd::from(writer));
    let socket = stderr.metadata().expect("a socket has an inode");
    let mut command = process_guard::command(probe_app());
    command.args(args).env_clear().envs(env::minimal()).envs(variables.iter().copied());
    command.env("JOURNAL_STREAM", stream(socket.dev(), socket.ino())).current_dir(scratch.path());
    command.stderr(stderr);
    let mut guard = ProcessGuard::spawn(command);
    assert!(!guard.wait_exit(Duration::from_secs(30)).success());
    drop(guard);
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("it is UTF-8");
    text.lines().map(str::to_owned).collect()
}

fn inode(device: u64, inode: u64) -> String {
    format!("{device}:{inode}")
}

#[test]
fn every_record_begins_with_its_priority() {
    let service = probe().env("APP__LOG__PRIORITY_PREFIX", "always").env("APP__LOG__LEVEL", "trace").start();
    let levels = ["trace", "debug", "info", "warning", "error", "critical"];
    let steps = levels.map(|level| json!({"do": "log", "level": level, "message": level}));
    run(service.client(), steps.into(), json!({"error": "broken"}));
    let stderr = service.stop().stderr;
    let mut seen = 0;
    for line in stderr.lines() {
        let (prefix, record) = line.split_at(3);
        let record: Value = serde_json::from_str(record).unwrap_or_else(|error| panic!("{error}: {line}"));
        let level = record["level"].as_str().expect("a record has a level");
        assert_eq!(prefix, priority(level), "{line}");
        seen += usize::from(record["message"] == level);
    }
    assert_eq!(seen, levels.len(), "{stderr}");
}

#[test]
fn every_line_of_the_pretty_format_has_a_priority() {
    let service = probe()
        .env("APP__LOG__PRIORITY_PREFIX", "always")
        .env("APP__LOG__FORMAT", "pretty")
        .env("APP__ENV", "dev")
        .start();
    let body = json!({"respond": {"status": 200, "content_type": "text/plain", "body": "one\n<0>two\n"}});
    run(service.client(), json!([]), body);
    run(service.client(), json!([{"do": "capture_exception", "message": "caught\n<0>forged"}]), Value::Null);
    let stderr = service.stop().stderr;
    let is_prefixed = |line: &str| ["<2>", "<3>", "<4>", "<6>", "<7>"].iter().any(|prefix| line.starts_with(prefix));
    let without: Vec<&str> = stderr.lines().filter(|line| !is_prefixed(line)).collect();
    assert!(without.is_empty(), "{without:?}");
    assert!(stderr.contains("<6>      │ one\n<6>      │ <0>two\n"), "{stderr}");
}

#[test]
fn the_journals_stream_is_recognized() {
    // The port is in use, which is a record.
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port().to_string();
    let variables = |prefix| {
        [
            ("APP__SERVER__PORT", port.as_str()),
            ("APP__DATABASE__URL", "sqlite::memory:"),
            ("APP__LOG__PRIORITY_PREFIX", prefix),
        ]
    };
    let last = |lines: Vec<String>| lines.last().cloned().unwrap_or_default();
    let line = last(failed_start(inode, &variables("auto"), &[]));
    assert!(line.starts_with("<2>{\"timestamp\""), "{line}");
    for (stream, prefix) in [(inode as fn(u64, u64) -> String, "never"), (|_, _| "1:2".to_owned(), "auto")] {
        let line = last(failed_start(stream, &variables(prefix), &[]));
        assert!(line.starts_with("{\"timestamp\""), "{line}");
    }
}

#[test]
fn errors_before_the_start_have_a_priority() {
    let invalid = [("APP__SERVER__PORT", "x"), ("APP__LOG__MODE", "x")];
    let lines = failed_start(inode, &invalid, &[]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.starts_with("<3>")), "{lines:?}");
    let lines = failed_start(|_, _| String::new(), &invalid, &[]);
    assert!(lines.iter().all(|line| !line.starts_with('<')), "{lines:?}");
    let lines = failed_start(inode, &[], &["--unknown"]);
    assert!(lines[0].starts_with("<3>error: unexpected argument"), "{lines:?}");
    assert!(lines.iter().all(|line| line.starts_with("<3>")), "{lines:?}");
}

#[test]
fn a_text_before_the_start_is_bounded() {
    let long = "x".repeat(100_000);
    let lines = failed_start(inode, &[("APP__LOG__MODE", &long)], &[]);
    assert!(lines.iter().all(|line| line.len() < 16_000), "{}", lines[0].len());
}
