//! A real journald. It runs in a mount namespace, so that its sockets and files end with it. It needs root.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use test_harness::scratch::{self, Scratch};

use super::program::program;
use crate::process_guard::{self, ProcessGuard};
use crate::wait;

/// The name of the journal, which also keeps it apart from a journald of the system.
const NAME: &str = "cyanotype-test";
const SCRIPT: &str = "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/log && exec \"$0\" \"$1\"";
const DAEMON: &str = "/lib/systemd/systemd-journald";
/// Ends a stream.
const LAST: &str = "the end of the stream";
const START_LIMIT: Duration = Duration::from_secs(30);
const READ_LIMIT: Duration = Duration::from_secs(30);

/// A running journald. Dropping it ends it.
pub struct Journald {
    guard: ProcessGuard,
    _scratch: Scratch,
}

impl Journald {
    /// Starts it, with an empty journal.
    #[track_caller]
    pub fn start() -> Self {
        let unshare = program("unshare", "util-linux");
        program("journalctl", "systemd");
        let scratch = Scratch::new("journald");
        let log = scratch.join("log");
        let file = File::create(&log).unwrap_or_else(|e| panic!("cannot make {}: {e}", log.display()));
        let mut command = process_guard::command(unshare);
        command.args(["--mount", "--propagation", "private", "sh", "-c", SCRIPT, DAEMON, NAME]);
        command.stdout(file.try_clone().expect("an open file can be shared")).stderr(file);
        let mut journald = Self { guard: ProcessGuard::spawn(command), _scratch: scratch };
        wait::until("journald to listen", START_LIMIT, || {
            if let Some(status) = journald.guard.exited() {
                panic!(
                    "journald, which needs root and the package systemd, ended with {status}: {}",
                    scratch::read(&log)
                );
            }
            UnixStream::connect(journald.socket()).ok()
        });
        journald
    }

    fn socket(&self) -> PathBuf {
        format!("/proc/{}/root/run/systemd/journal.{NAME}/stdout", self.guard.pid()).into()
    }

    /// A stream for the output of a unit with this name.
    #[track_caller]
    pub fn stream(&self, unit: &str) -> Stream {
        let mut socket = UnixStream::connect(self.socket()).unwrap_or_else(|e| panic!("journald does not accept: {e}"));
        // The name; no unit file; the default priority; priority prefixes are read; nothing is forwarded.
        write!(socket, "{unit}\n\n6\n1\n0\n0\n0\n").expect("journald reads the head of a stream");
        Stream { socket: File::from(OwnedFd::from(socket)), unit: unit.to_owned() }
    }

    /// The entries of a stream to which only the test still writes, in the order of its lines.
    #[track_caller]
    pub fn all_entries(&self, mut stream: Stream) -> Vec<Value> {
        writeln!(stream.socket, "{LAST}").expect("journald reads until the end of the stream");
        let unit = format!("SYSLOG_IDENTIFIER={}", stream.unit);
        wait::until("journald to store the last entry", READ_LIMIT, || {
            let mut entries = self.entries(&[&unit]);
            let last = entries.pop()?;
            (last["MESSAGE"] == LAST).then_some(entries)
        })
    }

    /// The entries that `journalctl` finds with these arguments.
    #[track_caller]
    pub fn entries(&self, arguments: &[&str]) -> Vec<Value> {
        let mut journalctl = Command::new(program("nsenter", "util-linux"));
        journalctl.args(["--mount", "--target", &self.guard.pid().to_string(), "journalctl", "--quiet", "--no-pager"]);
        // `--all`: without it, long fields are null.
        let output = journalctl.args(["--namespace", NAME, "--output=json", "--all"]).args(arguments).output();
        let output = output.expect("nsenter was found");
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }
}

/// A connection to journald.
pub struct Stream {
    socket: File,
    unit: String,
}

impl Stream {
    /// Its descriptor, for a service's stderr.
    pub fn descriptor(&self) -> OwnedFd {
        self.socket.try_clone().expect("an open file can be shared").into()
    }

    /// The value of `JOURNAL_STREAM`.
    pub fn variable(&self) -> String {
        let metadata = self.socket.metadata().expect("an open socket has metadata");
        format!("{}:{}", metadata.dev(), metadata.ino())
    }
}
