//! Tests with peers from Debian, npm or PyPI: a browser, a proxy, linters, client generators, collectors and readers of logs,
//! scanners for secrets. They fail if a peer is missing;
//! `.ci/run` installs them. `cargo test --workspace --features system-tests/platform --test platform`

#![forbid(unsafe_code)]

mod browser;
mod collectors;
mod containers;
mod debian_package;
mod doctor;
mod first_process;
mod generated_clients;
mod hostile;
mod journald;
mod kubernetes;
mod line_limits;
mod log_readers;
mod logrotate;
mod nginx;
mod openapi_linters;
mod prometheus;
mod release;
mod rolling_restarts;
mod secret_scanners;
mod spotlight;
mod supervisord;
mod supervisord_restarts;
mod systemd;

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use system_tests::process_guard::ProcessGuard;
use system_tests::scratch::{self, Scratch};

/// Long enough for a newly installed tool on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// The app with the probe added.
fn probe_app() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_probe-app"))
}

/// The text in a URL: letters and digits stand as they are.
fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        byte => format!("%{byte:02x}"),
    };
    text.bytes().map(encoded).collect()
}

/// Runs a command from `process_guard::command` and returns its stdout. It and its descendants end with the test.
#[track_caller]
fn succeed(mut command: Command, scratch: &Scratch) -> String {
    let output = |name| File::create(scratch.join(name)).expect("the test's own directory can be written");
    command.stdout(output("stdout")).stderr(output("stderr"));
    let shown = format!("{command:?}");
    let status = ProcessGuard::spawn(command).wait_exit(LIMIT);
    let [stdout, stderr] = ["stdout", "stderr"].map(|name| scratch::read(&scratch.join(name)));
    assert!(status.success(), "{status}: {shown}\n{stdout}{stderr}");
    stdout
}
