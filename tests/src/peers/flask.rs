//! A Flask app with Sentry's Python SDK, for comparison.

use std::fs::File;
use std::time::Duration;

use test_harness::http::Client;
use test_harness::peers::venv;
use test_harness::process_guard::{self, ProcessGuard};
use test_harness::scratch::{self, Scratch};
use test_harness::{env, ports, wait};

const APP: &str = include_str!("flask/app.py");
const START_LIMIT: Duration = Duration::from_secs(60);

/// The running app. Each route fails in one way; `POST /flush` waits until all events are sent.
pub struct Flask {
    // Before its working directory: fields are dropped in declaration order.
    _guard: ProcessGuard,
    _scratch: Scratch,
    /// Its port.
    pub port: u16,
}

impl Flask {
    /// Starts the app with this DSN.
    #[track_caller]
    pub fn start(dsn: &str) -> Self {
        let (scratch, port) = (Scratch::new("flask"), ports::free());
        scratch::write(&scratch.join("app.py"), APP);
        let log = File::create(scratch.join("log")).expect("the directory is new");
        let mut command = process_guard::command(venv::flask());
        command.arg("app.py").current_dir(scratch.path()).env_clear().envs(env::minimal());
        command.env("SENTRY_DSN", dsn).env("PORT", port.to_string());
        command.stdout(log.try_clone().expect("an open file can be shared")).stderr(log);
        let mut guard = ProcessGuard::spawn(command);
        let ready = Client::new(port).post("/flush");
        wait::until("Flask to be ready", START_LIMIT, || {
            if let Some(status) = guard.exited() {
                panic!("Flask ended with {status}:\n{}", scratch::read(&scratch.join("log")));
            }
            ready.clone().try_send().ok().filter(|reply| reply.status == 204)
        });
        Self { _guard: guard, _scratch: scratch, port }
    }
}
