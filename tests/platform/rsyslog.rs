//! The service's output, read by a real rsyslog.

use std::fs::File;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::peers::program::program;
use system_tests::process_guard::{self, ProcessGuard};
use system_tests::scratch::{self, Scratch};
use system_tests::wait;

use crate::hostile::{attack, kinds, probe};

const CONFIGURATION: &str = include_str!("rsyslog/rsyslog.conf");
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn rsyslog_parses_each_record_as_one_message() {
    let rsyslog = program("rsyslogd", "rsyslog");
    let service = probe().start();
    let scratch = Scratch::new("rsyslog");
    let [configuration, output, log] = ["rsyslog.conf", "output", "log"].map(|name| scratch.join(name));
    let paths = [("{directory}", scratch.path()), ("{file}", &service.scratch().join("stderr")), ("{output}", &output)];
    let text = paths.into_iter().fold(CONFIGURATION.to_owned(), |text, (name, path)| {
        text.replace(name, path.to_str().expect("the target directory's path must be UTF-8"))
    });
    scratch::write(&configuration, text);
    let file = File::create(&log).expect("a new directory is writable");
    let mut command = process_guard::command(rsyslog);
    command.arg("-n").arg("-i").arg(scratch.join("pid")).arg("-f").arg(&configuration);
    command.stdout(file.try_clone().expect("an open file can be shared")).stderr(file);
    let _server = ProcessGuard::spawn(command);

    let levels = ["info", "warning", "error", "critical"];
    let steps = levels.map(|level| json!({"do": "log", "level": level, "message": level}));
    service.post("/probe/run").json(&json!({ "steps": steps })).send();
    let sent = attack(service.client()).values().sum::<usize>() + levels.len() + 1;
    // The service runs until the end, because its file ends with it.
    let is_written = || kinds(&service.records()).values().sum::<usize>() == sent;
    wait::until("the service to write all records", LIMIT, || is_written().then_some(()));
    let records = service.records();
    let messages = wait::until("rsyslog to write all messages", LIMIT, || {
        let written = std::fs::read_to_string(&output).ok()?;
        (written.lines().count() >= records.len()).then_some(written)
    });
    let parsed = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    let messages: Vec<Value> = messages.lines().map(parsed).collect();
    let wanted = |record: &Value| {
        let text = |key: &str| record[key].as_str().unwrap_or_default();
        json!({"level": text("level"), "kind": text("kind"), "request_id": text("request_id")})
    };
    assert_eq!(messages, records.iter().map(wanted).collect::<Vec<_>>(), "{}", scratch::read(&log));
}
