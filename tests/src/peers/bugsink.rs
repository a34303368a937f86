//! A real Bugsink: a server that accepts events like Sentry.
//!
//! Its settings make it store an event within the request that delivers it, so an accepted event can be read immediately.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use test_harness::http::Client;
use test_harness::peers::prepared::prepared;
use test_harness::peers::venv;
use test_harness::process_guard::{self, ProcessGuard};
use test_harness::scratch::{self, Scratch};
use test_harness::{env, ports, wait};

const CONF: &str = include_str!("bugsink/bugsink_conf.py");
const URLS: &str = include_str!("bugsink/harness_urls.py");
const SETUP: &str = include_str!("bugsink/setup.py");
/// More than one test process uses.
const PROJECTS: usize = 400;
/// The files that a server starts from, created once.
const TEMPLATE: [&str; 5] = ["bugsink_conf.py", "harness_urls.py", "projects.json", "db.sqlite3", "snappea.sqlite3"];

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A server with its own port and database.
pub struct Bugsink {
    // Before its working directory: fields are dropped in declaration order.
    server: Option<ProcessGuard>,
    scratch: Scratch,
    port: u16,
    projects: Vec<(u64, String)>,
    taken: AtomicUsize,
}

impl Bugsink {
    /// The server that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Bugsink> = OnceLock::new();
        SHARED.get_or_init(|| {
            let mut bugsink = Self::new("");
            // Statics are not dropped, so the process guard removes the directory.
            bugsink.launch(ProcessGuard::spawn_with_cleanup);
            bugsink
        })
    }

    /// A dedicated server for one test. These lines of Python are appended to its settings, for example
    /// `BUGSINK["MAX_EVENTS_PER_PROJECT_PER_5_MINUTES"] = 5`.
    pub fn start_own(settings: &str) -> Self {
        let mut bugsink = Self::new(settings);
        bugsink.restart();
        bugsink
    }

    fn new(settings: &str) -> Self {
        let template = template();
        let scratch = Scratch::new("bugsink");
        for name in TEMPLATE {
            let copied = fs::copy(template.join(name), scratch.join(name));
            copied.unwrap_or_else(|e| panic!("cannot copy {name} from {}: {e}", template.display()));
        }
        scratch::write(&scratch.join("bugsink_conf.py"), format!("{CONF}{settings}\n"));
        let projects = serde_json::from_str(&scratch::read(&scratch.join("projects.json")));
        let projects = projects.unwrap_or_else(|e| panic!("{} is broken, remove it: {e}", template.display()));
        Self { server: None, scratch, port: ports::free(), projects, taken: AtomicUsize::new(0) }
    }

    fn launch(&mut self, spawn: impl FnOnce(Command, &Path) -> ProcessGuard) {
        let port = self.port.to_string();
        let log = self.scratch.join("gunicorn.log");
        let file = File::options().create(true).append(true).open(&log);
        let file = file.unwrap_or_else(|e| panic!("cannot open {}: {e}", log.display()));

        let mut command = process_guard::command(venv::python());
        command.args(["-m", "gunicorn", "--no-control-socket", "--workers=1", "--threads=8", "--graceful-timeout=5"]);
        command.args(["--bind", &format!("127.0.0.1:{port}"), "bugsink.wsgi"]).current_dir(self.scratch.path());
        command.env_clear().envs(env::minimal()).env("PORT", port);
        command.stdout(file.try_clone().expect("an open file can be shared")).stderr(file);

        let mut server = spawn(command, self.scratch.path());
        let ready = Client::new(self.port).get("/health/ready");
        wait::until("Bugsink to be ready", START_LIMIT, || {
            if let Some(status) = server.exited() {
                panic!("Bugsink ended with {status}:\n{}", scratch::read(&log));
            }
            ready.clone().try_send().ok().filter(|reply| reply.status == 200)
        });
        self.server = Some(server);
    }

    /// Its port, also while it is stopped.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops the server. Its port refuses connections until [`Self::restart`].
    #[track_caller]
    pub fn stop(&mut self) {
        let mut server = self.server.take().expect("Bugsink was stopped already");
        server.signal("TERM");
        server.wait_exit(STOP_LIMIT);
    }

    /// Starts a stopped server again, on the same port, with its data.
    #[track_caller]
    pub fn restart(&mut self) {
        assert!(self.server.is_none(), "Bugsink is running: stop it first");
        self.launch(|command, _| ProcessGuard::spawn(command));
    }

    /// A project that no other test uses.
    #[track_caller]
    pub fn project(&self) -> Project {
        let n = self.taken.fetch_add(1, Ordering::Relaxed);
        let (id, key) =
            self.projects.get(n).unwrap_or_else(|| panic!("all {PROJECTS} projects are taken: raise PROJECTS"));
        let dsn = format!("http://{key}@127.0.0.1:{}/{id}", self.port);
        Project { dsn, id: *id, key: key.clone(), client: Client::new(self.port) }
    }
}

fn template() -> PathBuf {
    let made = prepared("bugsink-2.6.1", (CONF, URLS, SETUP, PROJECTS), |dir| {
        for (name, content) in [("bugsink_conf.py", CONF), ("harness_urls.py", URLS), ("setup.py", SETUP)] {
            scratch::write(&dir.join(name), content);
        }
        let mut command = Command::new(venv::python());
        command.args(["setup.py", "migrate", &PROJECTS.to_string()]).current_dir(dir);
        let output = command.env_clear().envs(env::minimal()).output().map_err(|e| e.to_string())?;
        if !output.status.success() {
            return Err(format!("Bugsink cannot be set up:\n{}", String::from_utf8_lossy(&output.stderr)));
        }
        scratch::write(&dir.join("projects.json"), output.stdout);
        Ok(())
    });
    made.unwrap_or_else(|why| panic!("{why}"))
}

/// A project for the events of one service.
#[derive(Clone, Debug)]
pub struct Project {
    /// The DSN for the service.
    pub dsn: String,
    /// The project's number, in the DSN's path.
    pub id: u64,
    /// The public key, in the DSN's user name.
    pub key: String,
    client: Client,
}

impl Project {
    /// All events as the service sent them, in the order of arrival. To assert that no more arrive, stop the service first:
    /// that flushes.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        match self.client.get(&format!("/harness/events/{}", self.id)).send().json() {
            Value::Array(events) => events,
            other => panic!("Bugsink's list of events is not a list: {other}"),
        }
    }

    /// The number of events of each issue, in ascending order.
    #[track_caller]
    pub fn issue_sizes(&self) -> Vec<u64> {
        let sizes = self.client.get(&format!("/harness/issues/{}", self.id)).send().json();
        let sizes = sizes.as_array().unwrap_or_else(|| panic!("Bugsink's list of issues is not a list: {sizes}"));
        sizes.iter().filter_map(Value::as_u64).collect()
    }

    /// The event with this id, written with or without dashes.
    #[track_caller]
    pub fn event(&self, id: &str) -> Option<Value> {
        let plain = |id: &str| id.replace('-', "");
        self.events()
            .into_iter()
            .find(|event| event["event_id"].as_str().is_some_and(|other| plain(other) == plain(id)))
    }

    /// Waits for at least `n` events, and returns all that have arrived.
    #[track_caller]
    pub fn wait_events(&self, n: usize, limit: Duration) -> Vec<Value> {
        let start = Instant::now();
        let events = wait::until("Bugsink's events", limit + START_LIMIT, || {
            let events = self.events();
            (events.len() >= n || start.elapsed() >= limit).then_some(events)
        });
        assert!(events.len() >= n, "only {} of {n} events reached project {} within {limit:?}", events.len(), self.id);
        events
    }
}
