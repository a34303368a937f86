//! A real systemd as process 1 of namespaces of its own, with the cgroups of a shell as their root. It needs root.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use test_harness::scratch;

use super::program::program;
use crate::process_guard::{self, ProcessGuard};
use crate::wait;

/// The beginning of each boot script: it defines `groups` and `name`.
const CGROUPS: &str = include_str!("booted/cgroups.sh");
const LIMIT: Duration = Duration::from_secs(120);

/// A running systemd with a journal. Dropping it ends it with all its services.
pub struct Booted {
    guard: ProcessGuard,
    pid: u32,
    log: PathBuf,
    shell: Shell,
}

/// How commands run in the system.
pub struct Shell {
    /// The namespaces to enter, and other arguments of nsenter.
    pub namespaces: &'static [&'static str],
    /// The shell and its arguments before the commands.
    pub arguments: Vec<OsString>,
}

impl Booted {
    /// Runs the rest of the boot script, which has unshare as `$0` and the directory as `$1`, and waits until the command
    /// `has_booted` succeeds.
    #[track_caller]
    pub fn start(script: &str, directory: &Path, log: PathBuf, shell: Shell, has_booted: &str) -> Self {
        let unshare = program("unshare", "util-linux");
        program("systemctl", "systemd");
        let file = File::create(&log).unwrap_or_else(|e| panic!("cannot make {}: {e}", log.display()));
        let mut command = process_guard::command("sh");
        command.arg("-c").arg([CGROUPS, script].concat()).arg(unshare).arg(directory);
        command.stdout(file.try_clone().expect("an open file can be shared")).stderr(file);
        let mut guard = ProcessGuard::spawn(command);
        let pid = wait::until("systemd to start", LIMIT, || {
            if let Some(status) = guard.exited() {
                panic!("systemd, which needs root, ended with {status}: {}", scratch::read(&log));
            }
            // The shell, unshare, and PID 1.
            descendants(guard.pid()).into_iter().find(|&pid| is_systemd(pid))
        });
        let booted = Self { guard, pid, log, shell };
        wait::until("systemd to have booted", LIMIT, || booted.output(has_booted).status.success().then_some(()));
        booted
    }

    /// The id of its process 1 on the machine.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Runs shell commands as its root, and returns what they print.
    #[track_caller]
    pub fn sh(&self, commands: &str) -> String {
        let output = self.output(commands);
        let [stdout, stderr] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        assert!(output.status.success(), "{}: {commands}\n{stdout}{stderr}\n{}", output.status, self.journal_text());
        stdout
    }

    /// Runs shell commands, which may fail.
    #[track_caller]
    pub fn output(&self, commands: &str) -> Output {
        let mut nsenter = Command::new(program("nsenter", "util-linux"));
        nsenter.args(self.shell.namespaces).args(["--target", &self.pid.to_string()]);
        nsenter.args(&self.shell.arguments).arg(commands);
        nsenter.env_clear().envs([
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            ("LC_ALL", "C.UTF-8"),
            ("SYSTEMD_PAGER", ""),
            ("DEBIAN_FRONTEND", "noninteractive"),
        ]);
        nsenter.output().expect("nsenter was found")
    }

    /// A property of a unit, as `systemctl show` prints it.
    #[track_caller]
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.sh(&format!("systemctl show --value --property {name} {unit}")).trim().to_owned()
    }

    /// The end of the journal, for the message of a failed test.
    fn journal_text(&self) -> String {
        let journal = self.output("journalctl --sync; journalctl --quiet --no-pager --lines=60");
        format!("{}\n{}", String::from_utf8_lossy(&journal.stdout), scratch::read(&self.log))
    }
}

/// The descendants of a process that has no other threads.
fn descendants(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    children.flat_map(|child| [vec![child], descendants(child)].concat()).collect()
}

fn is_systemd(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "systemd")
}

impl Drop for Booted {
    #[expect(clippy::print_stderr, reason = "helps to investigate the failed test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.journal_text());
        }
        // TERM would make it execute itself again. Its processes end with it.
        process_guard::signal(self.pid, "KILL");
        let _ = self.guard.wait_exit(LIMIT);
    }
}
