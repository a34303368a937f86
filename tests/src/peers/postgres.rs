//! A real PostgreSQL server, private to the tests.
//!
//! It lets nobody in without a password, and its databases sort in Danish: there `aa` comes after `b`, so whatever leans on
//! how ids sort shows.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::keeper::{self, Kept};
use crate::{env, ports, scratch, wait};

/// Of the user `postgres`. It is in the URLs, so it must not be in any record.
pub const PASSWORD: &str = "pass-of-postgres";

const NEEDED: &str = "PostgreSQL is needed: apt-get install postgresql";
/// At a TERM the server waits for its clients first, and one that is killed leaves shared memory behind: an INT follows.
const END_FAST: &str =
    r#"trap : TERM; sleep infinity & wait; kill -INT "$(head -n 1 data/postmaster.pid)" 2>/dev/null"#;

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A server on a port of its own.
pub struct Postgres {
    server: Option<Child>,
    // Ends the server, and removes the directory then, however this process ends.
    keeper: Kept,
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
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Not in the target directory: the server may run as a user who has no way in there.
        let name = format!("cyanotype-postgres-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        make(&directory);
        let mut waits = keeper::command("sh");
        waits.args(["-c", END_FAST]).current_dir(&directory);
        let keeper = Kept::spawn_with_litter(waits, &directory);
        let mut postgres = Self { server: None, keeper, directory, port: ports::free(), databases: AtomicU32::new(0) };
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

        let mut command = as_its_user(&program("postgres"));
        command.arg("-D").arg(self.directory.join("data")).args(["-p", &self.port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=300"] {
            command.args(["-c", setting]);
        }
        command.env_clear().envs(env::minimal()).envs([self.keeper.mark()]).current_dir(&self.directory);
        command.stdout(file.try_clone().expect("an open file can be shared")).stderr(file);
        // Out of reach of Ctrl-C, like all that is kept.
        let server = command.process_group(0).spawn();
        let mut server = server.unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        let url = self.url("postgres");
        wait::until("PostgreSQL to be ready", START_LIMIT, || {
            if let Some(status) = server.try_wait().expect("a child of this process can be waited for") {
                panic!("PostgreSQL ended with {status}:\n{}", scratch::read(&log));
            }
            psql(&url, "SELECT 1").status.success().then_some(())
        });
        self.server = Some(server);
    }

    /// Stops the server, whoever is connected. Its port refuses connections until [`Self::restart`].
    #[track_caller]
    pub fn stop(&mut self) {
        let mut server = self.server.take().expect("PostgreSQL was stopped already");
        keeper::signal(server.id(), "INT");
        wait::until("PostgreSQL to end", STOP_LIMIT, || {
            server.try_wait().expect("a child of this process can be waited for")
        });
    }

    /// Makes an empty database, and gives its URL.
    #[track_caller]
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let danish = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'da'";
        self.sql(&self.url("postgres"), &format!("CREATE DATABASE {name} {danish}"));
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
        let output = psql(url, sql);
        let (answer, why) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{sql}: {why}");
        answer.trim().to_owned()
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
fn make(directory: &Path) {
    // An earlier process may have had the same id.
    let _ = fs::remove_dir_all(directory);
    scratch::make_dir(directory);
    let (password, data) = (directory.join("password"), directory.join("data"));
    scratch::write(&password, PASSWORD);
    if is_root() {
        fs::set_permissions(directory, Permissions::from_mode(0o755)).expect("it is this user's");
        done(Command::new("install").args(["-d", "-m", "700", "-o", "postgres"]).arg(&data));
    }
    let mut initdb = as_its_user(&program("initdb"));
    initdb.arg("-D").arg(data).arg("--pwfile").arg(password).current_dir(directory);
    done(initdb.args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"]));
}

/// PostgreSQL does not run as root; Debian's package makes a user for it.
fn as_its_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    // Unlike `runuser` it becomes the program, so that a signal finds it.
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("the tests need Linux's /proc").uid() == 0
}

/// The newest of Debian's, which are on no PATH, or else what is on the PATH.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .map(|version| version.path())
        .max_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = newest.into_iter().map(|version| version.join("bin")).chain(std::env::split_paths(&path));
    let mut found = places.map(|place| place.join(name)).filter(|path| path.exists());
    found.next().unwrap_or_else(|| panic!("{NEEDED} (there is no {name})"))
}

fn psql(url: &str, sql: &str) -> Output {
    let mut psql = Command::new(program("psql"));
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]);
    psql.output().unwrap_or_else(|e| panic!("{NEEDED} (psql: {e})"))
}

#[track_caller]
fn done(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{NEEDED} ({command:?}: {e})"));
    assert!(output.status.success(), "{NEEDED} ({command:?}: {})", String::from_utf8_lossy(&output.stderr).trim());
}
