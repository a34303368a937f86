//! The process that is examined: the running service, or a start by the caller.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use procfs::process::Process;
use rustix::fs::{Access, access};

/// Its rights and its entries in `/proc`.
#[derive(Debug, Clone)]
pub(crate) struct ExaminedProcess {
    /// The running service; `None` for a start by the caller.
    pub running: Option<i32>,
    pub uid: u32,
    gids: Vec<u32>,
}

impl ExaminedProcess {
    /// A start by the caller.
    pub(crate) fn start_here() -> Self {
        let own = Process::myself().and_then(|it| it.status()).ok();
        let gids = own.map(|status| status.groups).unwrap_or_default();
        let effective = rustix::process::getegid().as_raw();
        Self {
            running: None,
            uid: rustix::process::geteuid().as_raw(),
            gids: gids.into_iter().chain([effective]).collect(),
        }
    }

    /// A running process.
    pub(crate) fn running(process: &Process) -> Option<Self> {
        let status = process.status().ok()?;
        Some(Self {
            running: Some(process.pid),
            uid: status.euid,
            gids: status.groups.iter().copied().chain([status.egid]).collect(),
        })
    }

    /// A file of its directory in `/proc`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        match self.running {
            Some(pid) => format!("/proc/{pid}/{name}").into(),
            None => format!("/proc/self/{name}").into(),
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.running.unwrap_or_else(|| rustix::process::getpid().as_raw_pid())
    }

    /// The inode of the socket that is its descriptor with this number.
    pub(crate) fn socket(&self, descriptor: u32) -> Option<u64> {
        let target = self.file(&format!("fd/{descriptor}")).read_link().ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    }

    /// A path as it sees it: a running service may have another working directory, and its own mounts.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        let absolute = match self.file("cwd").read_link() {
            Ok(directory) if self.running.is_some() => directory.join(path),
            _ => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        };
        let root = self.file("root");
        match absolute.strip_prefix("/") {
            // Without the right to look into it, the caller's mounts are the best guess.
            Ok(below) if self.running.is_some() && fs::metadata(root.join(".")).is_ok() => root.join(below),
            _ => absolute,
        }
    }

    /// A path from [`path`](Self::path), as it sees it itself.
    pub(crate) fn shown(&self, path: &Path) -> String {
        let below = path.strip_prefix(self.file("root")).ok().filter(|_| self.running.is_some());
        below.map_or_else(|| path.display().to_string(), |below| format!("/{}", below.display()))
    }

    /// Its environment variables; `None` if they cannot be read.
    pub(crate) fn environment(&self) -> Option<BTreeMap<String, String>> {
        let text = |text: &OsStr| text.to_string_lossy().into_owned();
        if self.running.is_none() {
            return Some(std::env::vars_os().map(|(name, value)| (text(&name), text(&value))).collect());
        }
        let bytes = fs::read(self.file("environ")).ok()?;
        let entries = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        Some(entries.filter_map(|entry| entry.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned()))).collect())
    }

    /// Whether it may create and remove files in a directory, or write a file.
    pub(crate) fn may_write(&self, path: &Path) -> std::io::Result<bool> {
        let metadata = fs::metadata(path)?;
        if self.uid == rustix::process::geteuid().as_raw() {
            let rights = if metadata.is_dir() { Access::WRITE_OK | Access::EXEC_OK } else { Access::WRITE_OK };
            return Ok(access(path, rights).is_ok());
        }
        let is_read_only = rustix::fs::statvfs(path)?.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
        Ok(!is_read_only && self.has_mode(&metadata))
    }

    fn has_mode(&self, metadata: &Metadata) -> bool {
        let wanted = if metadata.is_dir() { 0o3 } else { 0o2 };
        let shift = match () {
            () if self.uid == 0 => return true,
            () if metadata.uid() == self.uid => 6,
            () if self.gids.contains(&metadata.gid()) => 3,
            () => 0,
        };
        metadata.mode() >> shift & wanted == wanted
    }

    /// For messages.
    pub(crate) fn user(&self) -> String {
        format!("uid {}", self.uid)
    }
}
