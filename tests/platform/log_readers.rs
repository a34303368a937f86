//! The readers of docs/OPERATIONS.md, on records of each kind.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use system_tests::peers::npm;
use system_tests::peers::program::program;
use system_tests::process_guard;
use system_tests::records;
use system_tests::scratch::{self, Scratch, workspace};
use system_tests::service::Service;

use crate::{probe_app, succeed};

/// The kinds of records that a request can cause.
const KINDS: [&str; 6] = ["line", "breadcrumb", "message", "exception", "response", "uncaught"];

/// A directory with the file `app.log`, which holds records of each kind and level, and the records.
#[track_caller]
fn log() -> (Scratch, Vec<Value>) {
    let levels = ["trace", "debug", "info", "warning", "error", "critical"];
    let mut steps = levels.map(|level| json!({"do": "log", "level": level, "message": "an order's line"})).to_vec();
    steps.extend([
        json!({"do": "log", "level": "error", "message": "m", "error": "it failed"}),
        json!({"do": "breadcrumb", "message": "b", "category": "c", "data": {"a": [1]}}),
        json!({"do": "capture_event", "message": "e"}),
        json!({"do": "capture_exception", "message": "x", "cause": "y"}),
    ]);
    let service = Service::new(probe_app()).env("APP__LOG__LEVELS__SYSTEM_TESTS", "trace").start();
    let finish = json!({"respond": {"status": 201, "content_type": "application/json", "body": r#"{"id": 1}"#}});
    service.post("/probe/run").json(&json!({ "steps": steps, "finish": finish })).send();
    service.post("/probe/run").json(&json!({"finish": {"error": "it broke", "cause": "why"}})).send();
    let written = service.stop().stderr;
    let records = records::parse_all(&written);
    for kind in KINDS {
        assert!(records.iter().any(|record| record["kind"] == kind), "a record of kind {kind}");
    }
    let scratch = Scratch::new("log-reader");
    scratch::write(&scratch.join("app.log"), written);
    (scratch, records)
}

/// The section of docs/OPERATIONS.md with commands, each without its comment.
fn documented_commands() -> Vec<String> {
    let document = scratch::read(&workspace().join("docs/OPERATIONS.md"));
    let section = document.split("\n## Reading logs\n").nth(1).expect("docs/OPERATIONS.md has the section");
    let block =
        section.split("```").nth(1).and_then(|block| block.strip_prefix("sh\n")).expect("it begins with commands");
    let joined = block.replace("\\\n", " ");
    let code = |line: &str| line.split("  # ").next().unwrap_or_default().trim().to_owned();
    joined.lines().map(code).filter(|command| !command.is_empty()).collect()
}

/// The command of the document that begins so.
#[track_caller]
fn documented(start: &str) -> String {
    let commands = documented_commands();
    let found = commands.iter().find(|command| command.starts_with(start));
    found.unwrap_or_else(|| panic!("docs/OPERATIONS.md shows no `{start}`, but {commands:#?}")).clone()
}

/// A shell that runs the command beside `app.log`.
fn shell(scratch: &Scratch, script: &str) -> Command {
    let mut command = process_guard::command("sh");
    command.args(["-c", script]).current_dir(scratch.path()).env("HOME", scratch.path()).env("TERM", "xterm");
    command
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

#[test]
fn the_documented_jq_command_prints_a_line_for_each_record() {
    program("jq", "jq");
    let (scratch, records) = log();
    let shown = succeed(shell(&scratch, &documented("jq ")), &scratch);
    let line = |record: &Value| ["timestamp", "level", "message", "request_id"].map(|key| text(record, key)).join(" ");
    assert_eq!(shown.lines().collect::<Vec<_>>(), records.iter().map(line).collect::<Vec<_>>());
}

#[test]
fn the_documented_pino_pretty_command_shows_each_record() {
    let (scratch, records) = log();
    npm::link_packages(scratch.path());
    let command = format!("{} --colorize=false", documented("npx pino-pretty"))
        .replace("< app.log --colorize=false", "--colorize=false < app.log");
    let shown = succeed(shell(&scratch, &command), &scratch);
    let lines: Vec<&str> = shown.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(lines.len(), records.len(), "{shown}");
    for (line, record) in lines.iter().zip(&records) {
        let level = text(record, "level").to_uppercase();
        assert!(line.contains(&level) && line.contains(text(record, "message")), "{line} does not show {record}");
    }
}

/// lnav in the test's own directory, with the format installed as the document shows.
#[track_caller]
fn lnav(scratch: &Scratch, script: &str) -> String {
    program("lnav", "lnav");
    let format: PathBuf = workspace().join("deploy/lnav/cyanotype.json");
    let install = documented("lnav -i").replace("deploy/lnav/cyanotype.json", &format.display().to_string());
    succeed(shell(scratch, &install), scratch);
    succeed(shell(scratch, script), scratch)
}

#[test]
fn lnav_has_the_columns_of_each_record() {
    let (scratch, records) = log();
    let query = "SELECT log_level, log_time, log_body, kind, request_id FROM cyanotype_log";
    let shown = lnav(&scratch, &format!("lnav -n -c ';{query}' -c ':write-json-to -' app.log"));
    let rows: Vec<Value> = serde_json::from_str(&shown).unwrap_or_else(|e| panic!("lnav wrote no JSON ({e}): {shown}"));
    let row =
        |row: &Value| ["log_time", "log_level", "log_body", "kind", "request_id"].map(|key| text(row, key).to_owned());
    let record = |record: &Value| {
        let milliseconds = "2026-01-02T03:04:05.678".len();
        let time = text(record, "timestamp")[..milliseconds].replace('T', " ");
        let [level, message, kind, id] =
            ["level", "message", "kind", "request_id"].map(|key| text(record, key).to_owned());
        [time, level, message, kind, id]
    };
    // lnav orders by time; a record with a stack is written later.
    let [mut rows, mut expected] = [rows.iter().map(row).collect::<Vec<_>>(), records.iter().map(record).collect()];
    rows.sort();
    expected.sort();
    assert_eq!(rows, expected);
}

#[test]
fn the_documented_lnav_query_counts_responses() {
    let (scratch, _) = log();
    let shown = lnav(&scratch, &documented("lnav -n"));
    let row = shown.lines().find(|line| line.contains("/probe/run")).unwrap_or_else(|| panic!("no route: {shown}"));
    assert!(row.split_whitespace().any(|cell| cell == "2"), "two responses: {shown}");
}
