//! A real systemd as PID 1 of its own namespaces. Its /etc, /usr and /var are overlays, so a test installs files as an administrator
//! would; they end with it. It needs root.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use test_harness::scratch::{self, Scratch};

use super::program::program;
use crate::process_guard::{self, ProcessGuard};
use crate::wait;

const BOOT: &str = include_str!("systemd/boot.sh");
const START_LIMIT: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(60);

/// A running systemd with a journal. Dropping it ends it with all its services.
pub struct Systemd {
    guard: ProcessGuard,
    /// PID 1 of the namespace.
    pid: u32,
    scratch: Scratch,
}

impl Systemd {
    /// Boots it with journald alone. The command's working directory is a directory with `app`, this binary, and `deploy`.
    #[track_caller]
    pub fn boot(app: &Path) -> Self {
        let unshare = program("unshare", "util-linux");
        program("systemctl", "systemd");
        let scratch = Scratch::new("systemd");
        let log = scratch.join("log");
        let home = scratch.join("home");
        scratch::make_dir(&home);
        symlink(app, home.join("app")).expect("the directory is new");
        symlink(scratch::workspace().join("deploy"), home.join("deploy")).expect("the directory is new");
        let file = File::create(&log).unwrap_or_else(|e| panic!("cannot make {}: {e}", log.display()));
        let mut command = process_guard::command("sh");
        command.args(["-c", BOOT]).arg(unshare).arg(&home);
        command.stdout(file.try_clone().expect("an open file can be shared")).stderr(file);
        let mut guard = ProcessGuard::spawn(command);
        let pid = wait::until("systemd to start", START_LIMIT, || {
            if let Some(status) = guard.exited() {
                panic!("systemd, which needs root, ended with {status}: {}", scratch::read(&log));
            }
            // The shell, unshare, and PID 1.
            descendants(guard.pid()).into_iter().find(|&pid| is_systemd(pid))
        });
        let systemd = Self { guard, pid, scratch };
        wait::until("systemd to have booted", START_LIMIT, || {
            systemd.output("systemctl is-active boot.target").status.success().then_some(())
        });
        systemd
    }

    /// The path of a file, as other processes of the machine see it.
    pub fn path(&self, path: &str) -> PathBuf {
        format!("/proc/{}/root{path}", self.pid).into()
    }

    /// Writes a file, with its directories.
    #[track_caller]
    pub fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        scratch::make_dir(path.parent().expect("a file has a directory"));
        scratch::write(&path, content);
    }

    /// Runs shell commands in the namespaces, and returns what they print.
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
        nsenter.args(["--mount", "--pid", "--cgroup", "--target", &self.pid.to_string()]);
        nsenter.arg("sh").args(["-euc", "cd \"$0\"; eval \"$1\""]).arg(self.scratch.join("home")).arg(commands);
        nsenter.env("SYSTEMD_PAGER", "").env("LC_ALL", "C").output().expect("nsenter was found")
    }

    /// A property of a unit, as `systemctl show` prints it.
    #[track_caller]
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.sh(&format!("systemctl show --value --property {name} {unit}")).trim().to_owned()
    }

    /// Waits until a property of a unit has a value.
    #[track_caller]
    pub fn wait_property(&self, unit: &str, name: &str, value: &str) {
        wait::until(&format!("{name} of {unit} to be {value}"), LIMIT, || {
            (self.property(unit, name) == value).then_some(())
        });
    }

    /// The journal's entries that `journalctl` finds with these arguments, oldest first.
    #[track_caller]
    pub fn journal(&self, arguments: &str) -> Vec<Value> {
        // `--all`: without it, long fields are null. journald stores what it has received before it answers.
        let text =
            self.sh(&format!("journalctl --sync; journalctl --quiet --no-pager --output=json --all {arguments}"));
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }

    /// The journal, for the message of a failed test.
    fn journal_text(&self) -> String {
        let journal = self.output("journalctl --sync; journalctl --quiet --no-pager --lines=60");
        let log = scratch::read(&self.scratch.join("log"));
        format!("{}\n{log}", String::from_utf8_lossy(&journal.stdout))
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

impl Drop for Systemd {
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
