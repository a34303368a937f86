//! A real Spotlight: Sentry's viewer for development. Unlike Bugsink, it shows transactions, logs and sessions.

use std::fs::File;
use std::time::Duration;

use serde_json::Value;
use test_harness::process_guard::ProcessGuard;
use test_harness::scratch::{self, Scratch};
use test_harness::{ports, wait};

use super::npm;

const SCRIPT: &str = include_str!("spotlight/spotlight.mjs");
const START_LIMIT: Duration = Duration::from_secs(60);
const ARRIVAL: Duration = Duration::from_secs(30);

/// A running Spotlight.
pub struct Spotlight {
    // Before its working directory: fields are dropped in declaration order.
    _guard: ProcessGuard,
    scratch: Scratch,
    port: u16,
}

impl Spotlight {
    /// Starts it on a free port.
    #[track_caller]
    pub fn start() -> Self {
        let (scratch, port) = (Scratch::new("spotlight"), ports::free());
        scratch::write(&scratch.join("spotlight.mjs"), SCRIPT);
        npm::link_packages(scratch.path());
        let log = |name| File::create(scratch.join(name)).expect("the directory is new");
        let mut node = npm::node();
        node.arg("spotlight.mjs").arg(port.to_string()).current_dir(scratch.path());
        node.stdout(log("shown")).stderr(log("log"));
        let mut guard = ProcessGuard::spawn(node);
        wait::until("Spotlight to be ready", START_LIMIT, || {
            if let Some(status) = guard.exited() {
                panic!("Spotlight ended with {status}:\n{}", scratch::read(&scratch.join("log")));
            }
            scratch::read(&scratch.join("shown")).contains("ready").then_some(())
        });
        Self { _guard: guard, scratch, port }
    }

    /// The DSN for the service.
    pub fn dsn(&self) -> String {
        format!("http://spotlight@127.0.0.1:{}/1", self.port)
    }

    /// The items of this type that it shows.
    pub fn items(&self, kind: &str) -> Vec<Value> {
        let shown = scratch::read(&self.scratch.join("shown"));
        let envelopes = shown.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let items = envelopes.flat_map(|envelope| envelope[1].as_array().cloned().unwrap_or_default());
        items.filter(|item| item[0]["type"] == kind).map(|item| item[1].clone()).collect()
    }

    /// Waits until it shows at least `n` items of this type.
    #[track_caller]
    pub fn wait_items(&self, kind: &str, n: usize) -> Vec<Value> {
        wait::until(&format!("{n} {kind} items"), ARRIVAL, || Some(self.items(kind)).filter(|items| items.len() >= n))
    }
}
