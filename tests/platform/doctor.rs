//! `app doctor` where it needs journald, a terminal, a small file system, or another clock.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use system_tests::peers::journald::Journald;
use system_tests::peers::program::program;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;
use system_tests::{binaries, ports};

/// The line of a check in the output of `app doctor --json`.
#[track_caller]
fn line(output: &str, check: &str) -> (String, String) {
    let json: Value = serde_json::from_str(output).unwrap_or_else(|error| panic!("no JSON ({error}): {output}"));
    let line = json["checks"].as_array().into_iter().flatten().find(|line| line["check"] == check);
    let line = line.unwrap_or_else(|| panic!("no line {check}: {json:#}"));
    let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
    (text("status"), text("found"))
}

fn doctor(program: &Path, arguments: &[OsString]) -> Service {
    arguments.iter().fold(Service::new(program), |service, argument| service.arg(argument))
}

/// Runs a script that ends with `app doctor --json`.
#[track_caller]
fn run_script(scratch: &Scratch, setup: &str, database: &Path) -> String {
    let script = scratch.join("script");
    scratch::write(&script, format!("#!/bin/sh\nset -e\n{setup} {} doctor --json\n", binaries::app().display()));
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("the test owns the file");
    let url = format!("sqlite://{}", database.display());
    Service::new(&script).env("APP__DATABASE__URL", url).run().stdout
}

#[test]
fn journald_is_the_reader() {
    let journald = Journald::start();
    let stream = journald.stream("doctor");
    let scratch = Scratch::new("doctor");
    let [port, management] = [ports::free(), ports::free()].map(|port| port.to_string());
    let with = |service: Service| {
        let url = format!("sqlite://{}", scratch.join("app.db").display());
        let service = service.env("APP__SERVER__PORT", &port).env("APP__MANAGEMENT__PORT", &management);
        service.env("APP__DATABASE__URL", url)
    };
    let service = with(Service::new(&binaries::app()));
    let service = service.env("JOURNAL_STREAM", stream.variable()).stderr(stream.descriptor()).start();
    let output = with(doctor(&binaries::app(), &["doctor".into(), "--json".into()])).run().stdout;
    let (status, found) = line(&output, "stderr");
    assert!(status == "OK" && found.starts_with("a stream of the journal, read by systemd-journal (pid "), "{found}");
    assert_eq!(line(&output, "settings").0, "OK");
    service.stop();
}

#[test]
fn a_terminal_collects_nothing_in_production() {
    let command = |environment: &str| {
        let command = format!("{} doctor --json --env {environment}", binaries::app().display());
        let arguments = [OsString::from("-qec"), command.into(), "/dev/null".into()];
        doctor(&program("script", "bsdutils"), &arguments).run().stdout
    };
    let (status, found) = line(&command("prod"), "stderr");
    assert!(status == "WARN" && found.contains("nothing collects the records"), "{found}");
    assert_eq!(line(&command("dev"), "stderr").0, "OK");
}

#[test]
fn a_small_file_system_is_a_warning_and_a_full_one_a_failure() {
    program("unshare", "util-linux");
    for (size, expected) in [("256m", "WARN"), ("16m", "FAIL")] {
        let scratch = Scratch::new("doctor");
        let directory = scratch.join("small");
        scratch::make_dir(&directory);
        let mount = format!("mount -t tmpfs -o size={size} tmpfs {}", directory.display());
        let setup = format!("exec unshare --mount --propagation private sh -c '{mount} && exec \"$@\"' sh");
        let (status, found) = line(&run_script(&scratch, &setup, &directory.join("app.db")), "disk");
        assert!(
            status == expected && found.contains(&format!("free for database ({}", directory.display())),
            "{found}"
        );
    }
}

#[test]
fn a_clock_that_was_never_set_is_a_failure() {
    program("faketime", "faketime");
    let scratch = Scratch::new("doctor");
    let setup = "export FAKETIME_DONT_FAKE_MONOTONIC=1\nexec faketime -f '@1999-01-01 00:00:00'";
    let (status, found) = line(&run_script(&scratch, setup, &scratch.join("app.db")), "clock");
    assert!(status == "FAIL" && found.contains("the clock shows the year 199"), "{found}");
}
