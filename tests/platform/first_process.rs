//! Commands as the first process of a container, which the kernel sends no signal that has no handler.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use system_tests::peers::program::program;
use system_tests::scratch::{self, Scratch};
use system_tests::service::Service;
use system_tests::{binaries, process_guard, wait};

const LIMIT: Duration = Duration::from_secs(60);
const TERM: u64 = 1 << (15 - 1);

/// The process id, outside, of the first process in the namespace that `unshare` has made, once it has a handler for SIGTERM.
fn wait_handler(unshare: u32) -> u32 {
    wait::until("a handler for SIGTERM", LIMIT, || {
        let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).ok()?;
        let pid: u32 = children.split_whitespace().next()?.parse().ok()?;
        let status = scratch::read(Path::new(&format!("/proc/{pid}/status")));
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        (u64::from_str_radix(caught.trim(), 16).ok()? & TERM != 0).then_some(pid)
    })
}

#[test]
fn a_migration_that_waits_ends_by_a_stop_signal() {
    let scratch = Scratch::new("first");
    let url = format!("sqlite://{}", scratch.join("app.db").display());
    let migrate = Service::new(&binaries::app()).env("APP__DATABASE__URL", &url).arg("db").arg("migrate").run();
    assert_eq!(migrate.code(), Some(0), "{}", migrate.stderr);
    // As another process that migrates.
    let lock = File::options().write(true).open(scratch.join("app.db.lock")).expect("it was created");
    lock.lock().expect("no process has it");
    let first = Service::new(&program("unshare", "util-linux")).env("APP__DATABASE__URL", &url);
    let first = ["--pid", "--fork", "--kill-child"].iter().fold(first, |first, argument| first.arg(*argument));
    let mut unshare = first.arg(binaries::app()).arg("db").arg("migrate").spawn_starting();
    process_guard::signal(wait_handler(unshare.pid), "TERM");
    assert_eq!(unshare.wait_exit(LIMIT).code(), Some(128 + 15), "{}", unshare.stderr());
}
