//! What descriptor 2 is, and who reads it.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, PipeWriter, Write, pipe};
use std::os::fd::OwnedFd;
use std::process::Command;

use system_tests::peers::supervisor::Supervisor;
use system_tests::peers::supervisor_conf::{Program, conf};
use system_tests::service::Running;
use system_tests::{binaries, scratch};

use super::{Report, Setup};
use crate::supervised::wait_live;

fn started(setup: &Setup, stderr: impl Into<OwnedFd>) -> Running {
    setup.service().stderr(stderr.into()).start()
}

#[test]
fn a_pipe_has_a_reader_or_none() {
    let setup = Setup::new();
    let (reader, writer) = pipe().expect("a pipe");
    let service = started(&setup, writer);
    let own = format!("(pid {})", std::process::id());
    setup.doctor().has("stderr", "OK", &["a pipe, read by ", &own]);
    drop(reader);
    setup.doctor().has("stderr", "FAIL", &["a pipe that no process reads"]);
    drop(service);
}

#[test]
fn a_named_pipe_has_a_reader_or_none() {
    let setup = Setup::new();
    let path = setup.scratch().join("records");
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    // With both ends, opening waits for no other process.
    let both_ends = OpenOptions::new().read(true).write(true).open(&path).expect("the test owns the pipe");
    let writer = OpenOptions::new().write(true).open(&path).expect("there is a reader");
    let service = started(&setup, writer);
    setup.doctor().has("stderr", "OK", &["a pipe"]);
    drop(both_ends);
    setup.doctor().has("stderr", "FAIL", &["a pipe that no process reads"]);
    drop(service);
}

#[test]
fn a_reader_that_does_not_read_is_a_warning() {
    let setup = Setup::new();
    let (_reader, writer) = pipe().expect("a pipe");
    fill(&writer);
    // Nothing is written: the start of a service would wait for its last records.
    let stopped = setup.service().stderr(writer.into()).arg("doctor").arg("--json").run();
    Report::of(&stopped).has("stderr", "WARN", &["which is full"]);
}

/// Fills a pipe, without waiting.
fn fill(writer: &PipeWriter) {
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(writer));
    let mut nonblocking = OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut nonblocking, 0o4000);
    let mut nonblocking = nonblocking.write(true).open(path).expect("the pipe can be opened again");
    loop {
        match nonblocking.write(&[b'x'; 4096]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("the pipe accepts bytes: {error}"),
        }
    }
}

#[test]
fn a_file_is_opened_for_appending_or_deleted() {
    let setup = Setup::new();
    let path = setup.scratch().join("app.log");
    let append = OpenOptions::new().create(true).append(true).open(&path).expect("the test owns the directory");
    let service = started(&setup, append);
    setup.doctor().has("stderr", "OK", &[&path.display().to_string(), "opened for appending"]);
    std::fs::remove_file(&path).expect("the test owns the file");
    setup.doctor().has("stderr", "FAIL", &["(deleted)"]);
    service.stop();
}

#[test]
fn discarded_records_are_a_warning_unless_none_is_written() {
    let null = || File::options().write(true).open("/dev/null").expect("it exists");
    let setup = Setup::new();
    let service = started(&setup, null());
    setup.doctor().has("stderr", "WARN", &["/dev/null", "every record is lost"]);
    drop(service);
    let quiet = Setup::new().env("APP__LOG__MODE", "off");
    let _service = started(&quiet, null());
    quiet.doctor().has("stderr", "OK", &["/dev/null", "log.mode=off"]);
}

#[test]
fn supervisord_is_the_reader() {
    let setup = Setup::new();
    let log = setup.scratch().join("app.log");
    let names = ["APP__DATABASE__URL", "APP__SERVER__PORT", "APP__MANAGEMENT__PORT", "APP__SERVER__WORKERS"];
    let program = Program {
        environment: names.iter().map(|name| ((*name).to_owned(), setup.get(name))).collect(),
        directory: Some(setup.scratch().path().to_owned()),
        stdout_logfile: Some(log.clone()),
        ..Program::new("app", &binaries::app().display().to_string())
    };
    let supervisor = Supervisor::start(setup.scratch().path(), &conf(&[program]));
    wait_live(setup.get("APP__MANAGEMENT__PORT").parse().expect("a port"));
    let pid = format!("supervisord (pid {})", supervisor.pid());
    setup.doctor().has("stderr", "OK", &["a pipe, read by ", &pid]).has("settings", "OK", &[]);
    assert!(scratch::read(&log).contains("listening on"));
}
