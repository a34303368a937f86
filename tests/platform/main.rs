//! Tests with peers from Debian or npm: a browser, a proxy, linters, client generators. They fail if a peer is missing;
//! `.ci/run` installs them. `cargo test --workspace --features system-tests/platform --test platform`

#![forbid(unsafe_code)]

mod browser;
mod generated_clients;
mod nginx;
mod openapi_linters;

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use system_tests::process_guard::ProcessGuard;
use system_tests::scratch::{self, Scratch};

/// Long enough for a newly installed tool on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

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
