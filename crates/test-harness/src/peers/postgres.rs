//! A real PostgreSQL server, private to the tests.
//!
//! It requires a password, and its databases use a Danish collation, in which `aa` sorts after `b`: code that depends on the
//! collation of ids fails.

mod programs;

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::process_guard::{self, ProcessGuard};
use crate::{ports, scratch, wait};
use programs::Programs;

/// The password of the user `postgres`. The URLs contain it; no record may.
pub const PASSWORD: &str = "pass-of-postgres";

/// On TERM the server waits for its clients, and on KILL it leaves shared memory behind, so the guard translates TERM to INT
/// (fast shutdown).
const FAST_SHUTDOWN: &str =
    r#"trap : TERM; sleep infinity & wait; kill -INT "$(head -n 1 data/postmaster.pid 2>/dev/null)" 2>/dev/null"#;

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A server on its own port.
pub struct Postgres {
    server: Option<Child>,
    // Ends the server and removes the directory, however this process ends.
    guard: ProcessGuard,
    programs: Programs,
    directory: PathBuf,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// The server that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start_own)
    }

    /// A dedicated server for one test.
    pub fn start_own() -> Self {
        Self::start(Programs::find)
    }

    /// The same with the programs from PyPI, even if others are installed.
    pub fn start_from_pypi() -> Self {
        Self::start(Programs::from_pypi)
    }

    fn start(find: impl FnOnce(&Path) -> Result<Programs, String>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Not in the target directory: the server may run as a user without access to it.
        let name = format!("cyanotype-postgres-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        // An earlier process may have had the same id.
        let _ = fs::remove_dir_all(&directory);
        scratch::make_dir(&directory);
        let mut guard_command = process_guard::command("sh");
        guard_command.args(["-c", FAST_SHUTDOWN]).current_dir(&directory);
        // First, so that a failed setup is cleaned up, too.
        let guard = ProcessGuard::spawn_with_cleanup(guard_command, &directory);
        let programs = find(&directory).unwrap_or_else(|why| panic!("PostgreSQL is needed: {why}"));
        init_cluster(&directory, &programs);
        let (port, databases) = (ports::free(), AtomicU32::new(0));
        let mut postgres = Self { server: None, guard, programs, directory, port, databases };
        postgres.restart();
        postgres
    }

    /// Starts a stopped server again, on the same port, with its data.
    #[track_caller]
    pub fn restart(&mut self) {
        assert!(self.server.is_none(), "PostgreSQL is running: stop it first");
        let log = self.directory.join("log");
        let file = File::options().create(true).append(true).open(&log);
        let file = file.unwrap_or_else(|e| panic!("cannot open {}: {e}", log.display()));

        let mut command = self.programs.server_command("postgres");
        command.arg("-D").arg(self.directory.join("data")).args(["-p", &self.port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=300"] {
            command.args(["-c", setting]);
        }
        command.envs([self.guard.mark()]).current_dir(&self.directory);
        command.stdout(file.try_clone().expect("an open file can be shared")).stderr(file);
        // Its own process group, so that Ctrl-C does not reach it.
        let server = command.process_group(0).spawn();
        let mut server = server.unwrap_or_else(|e| panic!("cannot start {command:?}: {e}{}", self.programs.hint()));
        let url = self.url("postgres");
        wait::until("PostgreSQL to be ready", START_LIMIT, || {
            if let Some(status) = server.try_wait().expect("a child of this process can be waited for") {
                panic!("PostgreSQL ended with {status}:\n{}", scratch::read(&log));
            }
            self.psql(&url, "SELECT 1").status.success().then_some(())
        });
        self.server = Some(server);
    }

    /// Stops the server and disconnects its clients. Its port refuses connections until [`Self::restart`].
    #[track_caller]
    pub fn stop(&mut self) {
        let mut server = self.server.take().expect("PostgreSQL was stopped already");
        process_guard::signal(server.id(), "INT");
        wait::until("PostgreSQL to end", STOP_LIMIT, || {
            server.try_wait().expect("a child of this process can be waited for")
        });
    }

    /// Creates an empty database and returns its URL.
    #[track_caller]
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&self.url("postgres"), &format!("CREATE DATABASE {name} {}", self.programs.danish_collation()));
        self.url(&name)
    }

    /// The URL of a database, which may not exist.
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", PASSWORD, database)
    }

    /// The URL of a database for another user.
    pub fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of a database through another local port.
    pub fn url_via(&self, port: u16, url: &str) -> String {
        url.replace(&format!("@127.0.0.1:{}/", self.port), &format!("@127.0.0.1:{port}/"))
    }

    /// Its port, also while it is stopped.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements in a database, in one transaction; returns their result, one line per row.
    #[track_caller]
    pub fn sql(&self, url: &str, sql: &str) -> String {
        let output = self.psql(url, sql);
        let (result, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{sql}: {stderr}");
        result.trim().to_owned()
    }

    fn psql(&self, url: &str, sql: &str) -> Output {
        let mut psql = self.programs.command("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]);
        psql.output().unwrap_or_else(|e| panic!("cannot run {psql:?}: {e}"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.stop();
        }
    }
}

/// Initialises a database cluster.
fn init_cluster(directory: &Path, programs: &Programs) {
    let (password, data) = (directory.join("password"), directory.join("data"));
    scratch::write(&password, PASSWORD);
    // Readable for the server's user, independent of this process's umask.
    run_checked(Command::new("chmod").args(["-R", "a+rX"]).arg(directory), "");
    programs.make_private(&data);
    let mut initdb = programs.server_command("initdb");
    initdb.arg("-D").arg(data).arg("--pwfile").arg(password).current_dir(directory);
    initdb.args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"]);
    run_checked(&mut initdb, &programs.hint());
}

#[track_caller]
fn run_checked(command: &mut Command, hint: &str) {
    let output = command.output().unwrap_or_else(|e| panic!("cannot run {command:?}: {e}{hint}"));
    assert!(output.status.success(), "{command:?}: {}{hint}", String::from_utf8_lossy(&output.stderr).trim());
}
