//! A file that the service appends to, rotated by a real logrotate with the configuration of `deploy/logrotate`.

use std::fs::File;
use std::path::Path;

use serde_json::{Value, json};
use system_tests::peers::program::program;
use system_tests::records;
use system_tests::scratch::{self, Scratch, workspace};
use system_tests::service::{Running, Service};
use system_tests::{process_guard, wait};

use crate::{LIMIT, probe_app, succeed};

/// The file that the configuration names.
const DEPLOYED: &str = "/srv/app/log/app.log";
const LINES: usize = 200;
const ROTATIONS: usize = 3;

/// Logs lines with the numbers of a round, and waits until they are in the file.
fn write_lines(service: &Running, file: &Path, round: usize) {
    let line = |n| json!({"do": "log", "level": "info", "message": format!("line {}", round * LINES + n)});
    let steps: Vec<Value> = (0..LINES).map(line).collect();
    service.post("/probe/run").json(&json!({ "steps": steps })).send();
    wait::until("the response's record", LIMIT, || {
        let written = scratch::read(file);
        (written.ends_with('\n') && written.contains("POST /probe/run 204")).then_some(())
    });
}

#[test]
fn rotated_files_hold_each_record_once() {
    let logrotate = program("logrotate", "logrotate");
    let scratch = Scratch::new("logrotate");
    let [file, configuration, state] = ["app.log", "configuration", "state"].map(|name| scratch.join(name));
    let deployed = scratch::read(&workspace().join("deploy/logrotate/cyanotype"));
    assert!(deployed.contains(&format!("\n{DEPLOYED} {{")), "the configuration names another file: {deployed}");
    let path = file.to_str().expect("the target directory's path must be UTF-8");
    scratch::write(&configuration, deployed.replace(&format!("\n{DEPLOYED} {{"), &format!("\n{path} {{")));
    // As `2>> app.log` in a shell.
    let appending = File::options().create(true).append(true).open(&file).expect("a new directory is writable");
    let service = Service::new(probe_app()).stderr(appending.into()).start();

    for round in 0..ROTATIONS {
        write_lines(&service, &file, round);
        let mut command = process_guard::command(&logrotate);
        command.arg("--force").arg("--state").arg(&state).arg(&configuration);
        succeed(command, &scratch);
        assert_eq!(scratch::read(&file), "", "logrotate has emptied the file");
    }
    write_lines(&service, &file, ROTATIONS);
    service.stop();

    let mut read = process_guard::command("sh");
    read.args(["-c", "zcat -f app.log.3.gz app.log.2.gz app.log.1 app.log"]).current_dir(scratch.path());
    let records = records::parse_all(&succeed(read, &scratch));
    let lines: Vec<&Value> = records.iter().filter(|record| record["kind"] == "line").map(|r| &r["message"]).collect();
    let expected: Vec<Value> = (0..LINES * (ROTATIONS + 1)).map(|n| format!("line {n}").into()).collect();
    assert_eq!(lines, expected.iter().collect::<Vec<_>>());
    assert_eq!(records.last().map(|record| &record["message"]), Some(&json!("stopped")));
}
