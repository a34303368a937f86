//! The service under test, started directly.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::Value;
use test_harness::env;

use crate::http::{Client, Request};
use crate::process_guard::{self, ProcessGuard};
use crate::scratch::{self, Scratch};
use crate::{ports, records, wait};

// The ports of the API and of management.
const PORTS: [&str; 2] = ["APP__SERVER__PORT", "APP__MANAGEMENT__PORT"];

const DATABASE_URL: &str = "APP__DATABASE__URL";

const START_LIMIT: Duration = Duration::from_secs(30);
/// Longer than the shutdown timeout of any test.
const STOP_LIMIT: Duration = Duration::from_secs(60);
const RUN_LIMIT: Duration = Duration::from_secs(60);
const RECORD_LIMIT: Duration = Duration::from_secs(15);

/// Builds a service process with a minimal environment. By default its ports are free ones, and its working directory is a
/// scratch directory that also holds its database.
pub struct Service {
    binary: PathBuf,
    args: Vec<OsString>,
    env: BTreeMap<String, OsString>,
    dir: Option<PathBuf>,
    stderr: Option<OwnedFd>,
}

impl Service {
    /// A service with this binary.
    pub fn new(binary: &Path) -> Self {
        let env = env::minimal().map(|(key, value)| (key.to_owned(), value)).collect();
        Self { binary: binary.to_owned(), args: vec![], env, dir: None, stderr: None }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl Into<OsString>) -> Self {
        self.env.insert(key.to_owned(), value.into());
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_owned());
        self
    }

    /// Connects its stderr to a collector instead of a file: what a test reads as its stderr is then empty.
    #[must_use]
    pub fn stderr(mut self, collector: OwnedFd) -> Self {
        self.stderr = Some(collector);
        self
    }

    /// Starts it and waits until it is live.
    #[track_caller]
    pub fn start(self) -> Running {
        let mut running = self.spawn_starting();
        let live = running.management().get("/health/live");
        wait::until("the service to be live", START_LIMIT, || {
            if let Some(status) = running.process.guard.exited() {
                panic!("the service ended with {status} instead of starting:\n{}", running.stderr());
            }
            live.clone().try_send().ok().filter(|reply| reply.status == 200)
        });
        running
    }

    /// Starts it without waiting.
    #[track_caller]
    pub fn spawn_starting(self) -> Running {
        let binary = self.binary.clone();
        let (process, env) = self.spawn();
        let [port, management_port] = PORTS.map(|key| {
            let port = env[key].to_str().and_then(|port| port.parse().ok());
            port.unwrap_or_else(|| panic!("{key} must be a port, but is {:?}", env[key]))
        });
        let database_url = env[DATABASE_URL].clone();
        Running { port, management_port, pid: process.guard.pid(), process, binary, database_url, delegate: None }
    }

    /// Runs it until it ends by itself.
    #[track_caller]
    pub fn run(self) -> Stopped {
        self.spawn().0.end(RUN_LIMIT)
    }

    fn spawn(self) -> (Process, BTreeMap<String, OsString>) {
        let Self { binary, args, mut env, dir, stderr } = self;
        let scratch = Scratch::new("service");
        for key in PORTS {
            env.entry(key.to_owned()).or_insert_with(|| ports::free().to_string().into());
        }
        let database = format!("sqlite://{}", scratch.join("app.db").display());
        env.entry(DATABASE_URL.to_owned()).or_insert_with(|| database.into());

        let mut command = process_guard::command(&binary);
        command.args(&args).env_clear().envs(&env).current_dir(dir.as_deref().unwrap_or(scratch.path()));
        (Process::start(command, scratch, stderr), env)
    }
}

// Fields are dropped in declaration order: the process must end before its directory is removed.
struct Process {
    guard: ProcessGuard,
    scratch: Scratch,
}

impl Process {
    fn start(mut command: Command, scratch: Scratch, collector: Option<OwnedFd>) -> Self {
        let create = |name| {
            let path = scratch.join(name);
            File::create(&path).unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()))
        };
        let stderr = create("stderr");
        command.stdout(create("stdout")).stderr(collector.unwrap_or_else(|| stderr.into()));
        Self { guard: ProcessGuard::spawn(command), scratch }
    }

    fn stdout(&self) -> String {
        scratch::read(&self.scratch.join("stdout"))
    }

    fn stderr(&self) -> String {
        scratch::read(&self.scratch.join("stderr"))
    }

    #[track_caller]
    fn end(mut self, limit: Duration) -> Stopped {
        let status = self.guard.wait_exit(limit);
        Stopped { status, stdout: self.stdout(), stderr: self.stderr() }
    }
}

/// A running service. Dropping it ends it.
pub struct Running {
    /// The port of its API.
    pub port: u16,
    /// The port of its management listener.
    pub management_port: u16,
    /// Its process id.
    pub pid: u32,
    process: Process,
    binary: PathBuf,
    database_url: OsString,
    /// Another process, and the path prefix that it serves.
    delegate: Option<(&'static str, Box<Running>)>,
}

impl Running {
    /// Sends requests with this path prefix to another process, which ends together with this one.
    #[must_use]
    pub fn delegate(self, prefix: &'static str, other: Running) -> Self {
        Self { delegate: Some((prefix, Box::new(other))), ..self }
    }

    /// Another process of its binary on its database: a second instance, or an operator's command.
    pub fn sibling(&self) -> Service {
        Service::new(&self.binary).env(DATABASE_URL, &self.database_url)
    }

    /// A client for its port.
    pub fn client(&self) -> Client {
        Client::new(self.port)
    }

    /// A client for its management port.
    pub fn management(&self) -> Client {
        Client::new(self.management_port)
    }

    /// A request with any method.
    pub fn request(&self, method: &str, path: &str) -> Request {
        match &self.delegate {
            Some((prefix, other)) if path.starts_with(prefix) => other.request(method, path),
            _ => self.client().request(method, path),
        }
    }

    /// A GET request.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// A POST request.
    pub fn post(&self, path: &str) -> Request {
        self.request("POST", path)
    }

    /// A PATCH request.
    pub fn patch(&self, path: &str) -> Request {
        self.request("PATCH", path)
    }

    /// A DELETE request.
    pub fn delete(&self, path: &str) -> Request {
        self.request("DELETE", path)
    }

    /// Its scratch directory, with the files `stdout`, `stderr` and `app.db`.
    pub fn scratch(&self) -> &Path {
        self.process.scratch.path()
    }

    /// Its stdout so far.
    pub fn stdout(&self) -> String {
        self.process.stdout()
    }

    /// Its stderr so far.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// The records on stderr so far.
    #[track_caller]
    pub fn records(&self) -> Vec<Value> {
        records::parse(&self.stderr())
    }

    /// Waits for the first record that `is_it` accepts.
    #[track_caller]
    pub fn wait_record(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        wait::until(what, RECORD_LIMIT, || self.records().into_iter().find(&is_it))
    }

    /// Sends it a signal, named without `SIG`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        self.process.guard.signal(name);
    }

    /// Waits until the process has a handler for SIGUSR2: those of the other signals that stop or reload it are installed before.
    #[track_caller]
    pub fn wait_signal_handlers(&self) {
        const USR2: u64 = 1 << (12 - 1);
        wait::until("the signal handlers", START_LIMIT, || {
            let status = scratch::read(Path::new(&format!("/proc/{}/status", self.pid)));
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
            let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
            (caught & USR2 != 0).then_some(())
        });
    }

    /// Its exit status, if it has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.process.guard.exited()
    }

    /// Waits for it to end by itself.
    #[track_caller]
    pub fn wait_exit(&mut self, limit: Duration) -> ExitStatus {
        self.process.guard.wait_exit(limit)
    }

    /// Sends TERM if it is still running, waits for the end, and returns its output. Asserts that stdout is empty.
    #[track_caller]
    pub fn stop(mut self) -> Stopped {
        if self.process.guard.exited().is_none() {
            self.signal("TERM");
        }
        let delegate = self.delegate.take().map(|(_, other)| other.stop());
        let mut stopped = self.process.end(STOP_LIMIT);
        assert_eq!(stopped.stdout, "", "a serving process leaves stdout empty");
        stopped.stderr.extend(delegate.map(|other| other.stderr));
        stopped
    }
}

/// The exit status and output of a service that has ended.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
}

impl Stopped {
    /// Its exit code; `None` if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The records on stderr, which must be complete.
    #[track_caller]
    pub fn records(&self) -> Vec<Value> {
        records::parse_all(&self.stderr)
    }
}
