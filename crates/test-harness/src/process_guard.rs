//! Processes that never outlive the test process, however it ends.
//!
//! `Drop` does not run when the test process is killed. Therefore each process is started as a shell whose stdin is a pipe
//! from the test process. The shell forks a watcher, which reads the pipe, and then becomes the program (`exec`, so the
//! process id and the exit status are the program's). When the pipe closes, by a drop or by the kernel, the watcher sends
//! TERM to every process with its mark, and KILL to those that remain after three seconds. The mark is an environment
//! variable, which all descendants inherit, so orphans of a killed supervisord are found, too. (Linux only: it reads
//! `/proc`.)

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::wait;

const MARK: &str = "PROCESS_GUARD_MARK";
const SCRIPT: &str = include_str!("process_guard.sh");
const START_LIMIT: Duration = Duration::from_secs(30);
/// Longer than the watcher's three seconds, with a margin for a busy machine.
const END_LIMIT: Duration = Duration::from_secs(30);

/// A command for [`ProcessGuard::spawn`]; add arguments, environment, directory, stdout and stderr first.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "process-guard"]).arg(program);
    command
}

/// Sends a signal, named without `SIG`, to a process.
#[track_caller]
pub fn signal(pid: u32, name: &str) {
    // The shell's builtin `kill`: minimal images lack the program.
    let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid.to_string()]).output();
    let sent = sent.expect("`sh` is needed");
    assert!(sent.status.success(), "cannot send {name} to {pid}: {}", String::from_utf8_lossy(&sent.stderr).trim());
}

/// A running process. Dropping it ends the process and all its descendants.
pub struct ProcessGuard {
    child: Child,
    watch_pipe: Option<ChildStdin>,
    mark: String,
}

impl ProcessGuard {
    /// Starts a command from [`command`].
    pub fn spawn(command: Command) -> Self {
        Self::start(command, "")
    }

    /// Like [`Self::spawn`], and removes a directory at the end: for guards that are never dropped, such as statics.
    pub fn spawn_with_cleanup(command: Command, cleanup: &Path) -> Self {
        Self::start(command, cleanup.to_str().expect("the target directory's path must be UTF-8"))
    }

    fn start(mut command: Command, cleanup: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // Its own process group, so that Ctrl-C reaches neither the watcher nor the program.
        let mut child = command.stdin(Stdio::piped()).process_group(0).spawn().unwrap_or_else(|e| {
            panic!("cannot start {command:?}: {e}");
        });
        let mut pipe = child.stdin.take().expect("stdin was just made a pipe");
        writeln!(pipe, "{mark}\n{cleanup}").expect("the shell that was just started reads its stdin");
        let mut guard = Self { child, watch_pipe: Some(pipe), mark };
        // Once the mark is visible, the process is the program and no longer the shell.
        wait::until("a program to start", START_LIMIT, || {
            (guard.has_mark(guard.pid()) || guard.exited().is_some()).then_some(())
        });
        guard
    }

    /// The environment variable that ties another process to this guard: for processes that are restarted.
    pub fn mark(&self) -> (&'static str, &str) {
        (MARK, &self.mark)
    }

    /// The program's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends the program a signal, named without `SIG`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        // The id of a reaped process may have been reused.
        assert!(self.has_mark(self.pid()), "cannot send {name} to process {}: it has ended", self.pid());
        signal(self.pid(), name);
    }

    /// The program's exit status, if it has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of this process can be waited for")
    }

    /// Waits for the program to end by itself.
    #[track_caller]
    pub fn wait_exit(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of process {}", self.pid());
        wait::until(&what, limit, || self.exited())
    }

    /// The ids of the program and all its running descendants, including orphans.
    pub fn family(&self) -> Vec<u32> {
        let entries = fs::read_dir("/proc").expect("the tests need Linux's /proc");
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter(|&pid| self.has_mark(pid)).collect()
    }

    // A zombie has no environment.
    fn has_mark(&self, pid: u32) -> bool {
        let mark = format!("{MARK}={}", self.mark);
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes())
    }
}

impl Drop for ProcessGuard {
    fn drop(&mut self) {
        self.watch_pipe.take();
        wait::until("processes of a test to end", END_LIMIT, || {
            (self.exited().is_some() && self.family().is_empty()).then_some(())
        });
    }
}
