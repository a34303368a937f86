//! A real PostgreSQL server, private to the tests.
//!
//! It lets nobody in without a password, and its databases sort in Danish: there `aa` comes after `b`, so whatever leans on
//! how ids sort shows.

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

/// Of the user `postgres`. It is in the URLs, so it must not be in any record.
pub const PASSWORD: &str = "pass-of-postgres";

/// At a TERM the server waits for its clients first, and one that is killed leaves shared memory behind: an INT follows.
const END_FAST: &str =
    r#"trap : TERM; sleep infinity & wait; kill -INT "$(head -n 1 data/postmaster.pid 2>/dev/null)" 2>/dev/null"#;

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A server on a port of its own.
pub struct Postgres {
    server: Option<Child>,
    // Ends the server, and removes the directory then, however this process ends.
    guard: ProcessGuard,
    programs: Programs,
    directory: PathBuf,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// The server that the tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start_own)
    }

    /// A server for one test.
    pub fn start_own() -> Self {
        Self::start(Programs::find)
    }

    /// The same, of PyPI's programs whatever is installed.
    pub fn start_from_pypi() -> Self {
        Self::start(Programs::from_pypi)
    }

    fn start(find: impl FnOnce(&Path) -> Result<Programs, String>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Not in the target directory: the server may run as a user who has no way in there.
        let name = format!("cyanotype-postgres-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        // An earlier process may have had the same id.
        let _ = fs::remove_dir_all(&directory);
        scratch::make_dir(&directory);
        let mut waits = process_guard::command("sh");
        waits.args(["-c", END_FAST]).current_dir(&directory);
        // Before the rest, so that nothing is left of what cannot be made.
        let guard = ProcessGuard::spawn_with_cleanup(waits, &directory);
        let programs = find(&directory).unwrap_or_else(|why| panic!("PostgreSQL is needed: {why}"));
        make(&directory, &programs);
        let (port, databases) = (ports::free(), AtomicU32::new(0));
        let mut postgres = Self { server: None, guard, programs, directory, port, databases };
        postgres.restart();
        postgres
    }

    /// Starts a stopped server again, on the same port, with all that it had.
    #[track_caller]
    pub fn restart(&mut self) {
        assert!(self.server.is_none(), "PostgreSQL runs: stop it before");
        let log = self.directory.join("log");
        let file = File::options().create(true).append(true).open(&log);
        let file = file.unwrap_or_else(|e| panic!("cannot open {}: {e}", log.display()));

        let mut command = self.programs.command_of_server("postgres");
        command.arg("-D").arg(self.directory.join("data")).args(["-p", &self.port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=300"] {
            command.args(["-c", setting]);
        }
        command.envs([self.guard.mark()]).current_dir(&self.directory);
        command.stdout(file.try_clone().expect("an open file can be shared")).stderr(file);
        // Out of reach of Ctrl-C, like all that is kept.
        let server = command.process_group(0).spawn();
        let mut server = server.unwrap_or_else(|e| panic!("cannot start {command:?}: {e}{}", self.programs.mend()));
        let url = self.url("postgres");
        wait::until("PostgreSQL to be ready", START_LIMIT, || {
            if let Some(status) = server.try_wait().expect("a child of this process can be waited for") {
                panic!("PostgreSQL ended with {status}:\n{}", scratch::read(&log));
            }
            self.psql(&url, "SELECT 1").status.success().then_some(())
        });
        self.server = Some(server);
    }

    /// Stops the server, whoever is connected. Its port refuses connections until [`Self::restart`].
    #[track_caller]
    pub fn stop(&mut self) {
        let mut server = self.server.take().expect("PostgreSQL was stopped already");
        process_guard::signal(server.id(), "INT");
        wait::until("PostgreSQL to end", STOP_LIMIT, || {
            server.try_wait().expect("a child of this process can be waited for")
        });
    }

    /// Makes an empty database, and gives its URL.
    #[track_caller]
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&self.url("postgres"), &format!("CREATE DATABASE {name} {}", self.programs.in_danish()));
        self.url(&name)
    }

    /// The URL of a database, there or not.
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", PASSWORD, database)
    }

    /// The same for any user.
    pub fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of a database, by way of another port of this machine.
    pub fn url_by(&self, port: u16, url: &str) -> String {
        url.replace(&format!("@127.0.0.1:{}/", self.port), &format!("@127.0.0.1:{port}/"))
    }

    /// Where it listens, also while it is stopped.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements in a database, all in one transaction; gives what they answer, a line a row.
    #[track_caller]
    pub fn sql(&self, url: &str, sql: &str) -> String {
        let output = self.psql(url, sql);
        let (answer, why) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{sql}: {why}");
        answer.trim().to_owned()
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

/// Makes what a server starts from.
fn make(directory: &Path, programs: &Programs) {
    let (password, data) = (directory.join("password"), directory.join("data"));
    scratch::write(&password, PASSWORD);
    // For the server's user, whatever this process's umask.
    done(Command::new("chmod").args(["-R", "a+rX"]).arg(directory), "");
    programs.make_private(&data);
    let mut initdb = programs.command_of_server("initdb");
    initdb.arg("-D").arg(data).arg("--pwfile").arg(password).current_dir(directory);
    initdb.args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"]);
    done(&mut initdb, &programs.mend());
}

#[track_caller]
fn done(command: &mut Command, mend: &str) {
    let output = command.output().unwrap_or_else(|e| panic!("cannot run {command:?}: {e}{mend}"));
    assert!(output.status.success(), "{command:?}: {}{mend}", String::from_utf8_lossy(&output.stderr).trim());
}
