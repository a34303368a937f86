//! A real systemd as PID 1 of its own namespaces. Its /etc, /usr and /var are overlays, so a test installs files as an administrator
//! would; they end with it. It needs root.

use std::ffi::OsString;
use std::ops::Deref;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use test_harness::scratch::{self, Scratch};

use super::booted::{Booted, Shell};
use crate::wait;

const BOOT: &str = include_str!("systemd/boot.sh");
const LIMIT: Duration = Duration::from_secs(60);

/// A running systemd with a journal. Dropping it ends it with all its services.
pub struct Systemd {
    // Before its directory: fields are dropped in declaration order.
    booted: Booted,
    _scratch: Scratch,
}

impl Systemd {
    /// Boots it with journald alone. The command's working directory is a directory with `app`, this binary, and `deploy`.
    #[track_caller]
    pub fn boot(app: &Path) -> Self {
        let scratch = Scratch::new("systemd");
        let home = scratch.join("home");
        scratch::make_dir(&home);
        symlink(app, home.join("app")).expect("the directory is new");
        symlink(scratch::workspace().join("deploy"), home.join("deploy")).expect("the directory is new");
        let mut arguments = ["sh", "-euc", "cd \"$0\"; eval \"$1\""].map(OsString::from).to_vec();
        arguments.push(home.clone().into());
        let shell = Shell { namespaces: &["--mount", "--pid", "--cgroup"], arguments };
        let booted = Booted::start(BOOT, &home, scratch.join("log"), shell, "systemctl is-active boot.target");
        Self { booted, _scratch: scratch }
    }

    /// The path of a file, as other processes of the machine see it.
    pub fn path(&self, path: &str) -> PathBuf {
        format!("/proc/{}/root{path}", self.pid()).into()
    }

    /// Writes a file, with its directories.
    #[track_caller]
    pub fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        scratch::make_dir(path.parent().expect("a file has a directory"));
        scratch::write(&path, content);
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
}

impl Deref for Systemd {
    type Target = Booted;

    fn deref(&self) -> &Booted {
        &self.booted
    }
}
