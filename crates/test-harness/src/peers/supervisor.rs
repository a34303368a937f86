//! A real supervisord.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env as std_env, process};

use super::venv;
use crate::process_guard::{self, ProcessGuard};
use crate::{env, scratch, wait};

const START_LIMIT: Duration = Duration::from_secs(30);
const STATE_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A running supervisord. Dropping it ends it and all its programs, including orphans.
pub struct Supervisor {
    // Before the socket: fields are dropped in declaration order.
    guard: ProcessGuard,
    conf: PathBuf,
    env: Vec<(String, OsString)>,
    _socket: Socket,
}

impl Supervisor {
    /// Runs a configuration, for example from [`super::supervisor_conf::conf`], as `supervisord.conf` in this directory.
    pub fn start(scratch: &Path, conf: &str) -> Self {
        let file = scratch.join("supervisord.conf");
        scratch::write(&file, conf);
        Self::launch(scratch, &file, &[])
    }

    /// Runs an existing configuration file in this directory. The variables are for its `%(ENV_X)s`, in addition to
    /// `SUPERVISOR_SOCKET`, which is always set: a path that is short enough for `[unix_http_server]`.
    pub fn start_file(scratch: &Path, conf: &Path, env: &[(&str, &str)]) -> Self {
        Self::launch(scratch, conf, env)
    }

    fn launch(scratch: &Path, conf: &Path, extra: &[(&str, &str)]) -> Self {
        let socket = Socket::new();
        let mut env: Vec<_> = env::minimal().map(|(key, value)| (key.to_owned(), value)).collect();
        env.push(("SUPERVISOR_SOCKET".to_owned(), socket.0.clone().into()));
        env.extend(extra.iter().map(|&(key, value)| (key.to_owned(), value.into())));

        let output = scratch.join("supervisord.out");
        let file = File::create(&output).unwrap_or_else(|e| panic!("cannot make {}: {e}", output.display()));
        let mut command = process_guard::command(venv::python());
        command.args(["-m", "supervisor.supervisord", "-n", "-c"]).arg(conf).current_dir(scratch);
        command.env_clear().envs(env.iter().cloned());
        command.stderr(file.try_clone().expect("an open file can be shared")).stdout(file);

        let mut supervisor = Self { guard: ProcessGuard::spawn(command), conf: conf.to_owned(), env, _socket: socket };
        wait::until("supervisord to answer", START_LIMIT, || {
            if let Some(status) = supervisor.guard.exited() {
                panic!("supervisord ended with {status}:\n{}", scratch::read(&output));
            }
            supervisor.run_ctl(&["pid"]).status.success().then_some(())
        });
        supervisor
    }

    fn run_ctl(&self, args: &[&str]) -> Output {
        let mut command = Command::new(venv::python());
        command.args(["-m", "supervisor.supervisorctl", "-c"]).arg(&self.conf).args(args);
        command.env_clear().envs(self.env.iter().cloned());
        command.output().expect("the Python of the tests' own virtual environment runs")
    }

    /// The output of `supervisorctl` with these arguments.
    pub fn ctl(&self, args: &[&str]) -> String {
        let output = self.run_ctl(args);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// Runs a shell script in which `supervisorctl` is the one of this supervisord, and returns its output.
    ///
    /// # Panics
    /// When a command of the script fails.
    #[track_caller]
    pub fn shell(&self, script: &str) -> String {
        const SUPERVISORCTL: &str = r#"supervisorctl() { "$0" -m supervisor.supervisorctl -c "$1" "$@"; }"#;
        let definition = SUPERVISORCTL.replace("$1", &self.conf.display().to_string());
        let mut command = Command::new("sh");
        command.arg("-euc").arg(format!("{definition}\n{script}")).arg(venv::python());
        command.env_clear().envs(self.env.iter().cloned());
        let output = command.output().expect("`sh` is needed");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{}: {text}", output.status);
        text
    }

    /// A program's state: `RUNNING`, `FATAL` …
    #[track_caller]
    pub fn status(&self, program: &str) -> String {
        let line = self.ctl(&["status", program]);
        let state = line.split_whitespace().nth(1);
        state.unwrap_or_else(|| panic!("supervisorctl reports no status of {program}: {line}")).to_owned()
    }

    /// Waits for a program to be in this state.
    #[track_caller]
    pub fn wait_for(&self, program: &str, state: &str) {
        let what = format!("{program} to be {state}");
        wait::until(&what, STATE_LIMIT, || {
            let now = self.status(program);
            // supervisord never leaves this state by itself.
            assert!(now != "FATAL" || now == state, "{program} is not {state}: {}", self.ctl(&["status", program]));
            (now == state).then_some(())
        });
    }

    /// The process id of a running program.
    #[track_caller]
    pub fn program_pid(&self, program: &str) -> u32 {
        let pid = self.ctl(&["pid", program]);
        match pid.trim().parse() {
            Ok(pid) if pid != 0 => pid,
            _ => panic!("{program} has no process: {pid}"),
        }
    }

    /// supervisord's own process id.
    pub fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// The ids of all its running processes: itself, its programs, and orphans.
    pub fn family(&self) -> Vec<u32> {
        self.guard.family()
    }

    /// Sends supervisord a signal, named without `SIG`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        self.guard.signal(name);
    }

    /// Sends TERM and waits. supervisord stops its programs first.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.guard.wait_exit(STOP_LIMIT)
    }

    /// Kills only supervisord. Its programs keep running until this is dropped.
    #[track_caller]
    pub fn kill9(&mut self) {
        self.signal("KILL");
        self.guard.wait_exit(STOP_LIMIT);
    }
}

/// The path of supervisord's socket, in a short directory: the kernel accepts at most 107 bytes.
struct Socket(PathBuf);

impl Socket {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("s{}-{}.sock", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std_env::temp_dir().join(name))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // supervisord removes its socket itself, unless it was killed.
        let _ = fs::remove_file(&self.0);
    }
}
