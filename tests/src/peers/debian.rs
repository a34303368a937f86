//! A Debian system: a root directory made by mmdebstrap, in which a real systemd runs as process 1 of its own namespaces, with
//! a network of its own. Packages are installed there, never on the machine. It needs root.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use test_harness::peers::prepared::{prepared, run};
use test_harness::scratch::{self, Scratch};

use super::program::program;
use crate::process_guard::{self, ProcessGuard};
use crate::wait;

const BOOT: &str = include_str!("debian/boot.sh");
/// The essential packages, and what the units need.
const MMDEBSTRAP: [&str; 4] = ["--quiet", "--variant=essential", "--include=systemd", "bookworm"];
const LIMIT: Duration = Duration::from_secs(120);

/// A running Debian. Dropping it ends it with all its processes, and removes its files.
pub struct Debian {
    guard: ProcessGuard,
    /// Its process 1.
    pid: u32,
    scratch: Scratch,
}

/// The archive of a new system, made once.
fn archive() -> PathBuf {
    let mmdebstrap = program("mmdebstrap", "mmdebstrap");
    let made = prepared("debian", MMDEBSTRAP, |directory| {
        let archive = directory.join("root.tar");
        run(mmdebstrap, MMDEBSTRAP.map(OsString::from).into_iter().chain([archive.into_os_string()]))
    });
    made.unwrap_or_else(|why| panic!("mmdebstrap, which needs root and the package registry, failed: {why}"))
        .join("root.tar")
}

impl Debian {
    /// Boots a new system.
    #[track_caller]
    pub fn boot() -> Self {
        let unshare = program("unshare", "util-linux");
        let archive = archive();
        let scratch = Scratch::new("debian");
        let (root, log) = (scratch.join("root"), scratch.join("log"));
        scratch::make_dir(&root);
        let tar = Command::new("tar").arg("-xpf").arg(&archive).arg("-C").arg(&root).output().expect("there is tar");
        assert!(tar.status.success(), "{}: {}", archive.display(), String::from_utf8_lossy(&tar.stderr));
        let file = File::create(&log).unwrap_or_else(|e| panic!("cannot make {}: {e}", log.display()));
        let mut command = process_guard::command("sh");
        command.args(["-c", BOOT]).arg(unshare).arg(&root);
        command.stdout(file.try_clone().expect("an open file can be shared")).stderr(file);
        let mut guard = ProcessGuard::spawn(command);
        let pid = wait::until("systemd to start", LIMIT, || {
            if let Some(status) = guard.exited() {
                panic!("systemd, which needs root, ended with {status}: {}", scratch::read(&log));
            }
            descendants(guard.pid()).into_iter().find(|&pid| is_systemd(pid))
        });
        let debian = Self { guard, pid, scratch };
        wait::until("systemd to have booted", LIMIT, || {
            let state = debian.output("systemctl is-system-running").stdout;
            String::from_utf8_lossy(&state).starts_with("running").then_some(())
        });
        debian
    }

    /// The path of one of its files on the machine.
    pub fn path(&self, path: &str) -> PathBuf {
        self.scratch.join("root").join(path.trim_start_matches('/'))
    }

    /// Copies a file of the machine to `/root`, and returns its path there.
    #[track_caller]
    pub fn receive(&self, file: &Path) -> String {
        let name = file.file_name().and_then(|name| name.to_str()).expect("the file has a name in UTF-8");
        let path = format!("/root/{name}");
        fs::copy(file, self.path(&path)).unwrap_or_else(|e| panic!("cannot copy {}: {e}", file.display()));
        path
    }

    /// Runs shell commands as its root, and returns what they print.
    #[track_caller]
    pub fn sh(&self, commands: &str) -> String {
        let output = self.output(commands);
        let [stdout, stderr] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        assert!(output.status.success(), "{}: {commands}\n{stdout}{stderr}\n{}", output.status, self.journal());
        stdout
    }

    /// Runs shell commands, which may fail.
    #[track_caller]
    pub fn output(&self, commands: &str) -> Output {
        let mut command = Command::new(program("nsenter", "util-linux"));
        command.args(["--mount", "--net", "--pid", "--cgroup", "--root", "--wd", "--target", &self.pid.to_string()]);
        command.args(["sh", "-euc", commands]);
        command.env_clear().envs([
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            ("LC_ALL", "C.UTF-8"),
            ("SYSTEMD_PAGER", ""),
        ]);
        command.env("DEBIAN_FRONTEND", "noninteractive").output().expect("nsenter was found")
    }

    /// A property of a unit, as `systemctl show` prints it.
    #[track_caller]
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.sh(&format!("systemctl show --value --property {name} {unit}")).trim().to_owned()
    }

    /// Runs a function in its network: there, 127.0.0.1 is the system's.
    #[track_caller]
    pub fn in_network<T: Send>(&self, task: impl FnOnce() -> T + Send) -> T {
        let network = format!("/proc/{}/ns/net", self.pid);
        let network = File::open(&network).unwrap_or_else(|e| panic!("{network}: {e}"));
        // The thread is not used again.
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).expect("it needs root");
                task()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn journal(&self) -> String {
        let journal = self.output("journalctl --sync; journalctl --quiet --no-pager --lines=40");
        String::from_utf8_lossy(&journal.stdout).into_owned()
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

impl Drop for Debian {
    #[expect(clippy::print_stderr, reason = "helps to investigate the failed test")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.journal());
        }
        // TERM would make it execute itself again. Its processes end with it.
        process_guard::signal(self.pid, "KILL");
        let _ = self.guard.wait_exit(LIMIT);
    }
}
