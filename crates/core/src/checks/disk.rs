//! Free space where the service writes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::check_result::{CheckResult, Status};
use super::examined_process::ExaminedProcess;
use super::nearest::nearest;
use super::spool::directory;
use super::stderr;
use super::units::size;
use crate::database;
use crate::settings::Settings;

pub(super) const NAME: &str = "disk";
const LOW: u64 = 512 << 20;
const FULL: u64 = 32 << 20;

/// Free bytes and inodes of a file system; no inodes where it has no limit.
#[derive(Debug, Clone, Copy)]
struct Free {
    bytes: u64,
    inodes: Option<u64>,
}

pub(super) fn check(settings: &Settings, examined: &ExaminedProcess) -> CheckResult {
    // One line for each file system.
    let mut places: BTreeMap<u64, (PathBuf, Vec<&str>)> = BTreeMap::new();
    let written = [
        ("database", database::sqlite_file(&settings.database.url)),
        ("spool", directory(settings)),
        ("stderr", stderr::file(examined)),
    ];
    for (what, path) in written.into_iter().filter_map(|(what, path)| Some((what, path?))) {
        let nearest = nearest(&examined.path(&path));
        let nearest = if nearest.is_dir() { nearest } else { nearest.parent().unwrap_or(&nearest).to_owned() };
        if let Ok(metadata) = fs::metadata(&nearest) {
            places.entry(metadata.dev()).or_insert((nearest, Vec::new())).1.push(what);
        }
    }
    let mut worst = Status::Ok;
    let mut parts = Vec::new();
    for (path, what) in places.values() {
        let what = what.join(", ");
        let found = match rustix::fs::statvfs(path) {
            Ok(it) => {
                let inodes = (it.f_files > 0).then_some(it.f_favail);
                let free = Free { bytes: it.f_bavail.saturating_mul(it.f_frsize), inodes };
                worst = worst.max(free.status());
                format!("{} free for {what} ({})", free.shown(), examined.shown(path))
            }
            Err(error) => {
                worst = worst.max(Status::Warn);
                format!("{what} ({}): {error}", examined.shown(path))
            }
        };
        parts.push(found);
    }
    if parts.is_empty() {
        return CheckResult::ok(NAME, "the service writes no file");
    }
    let found = parts.join("; ");
    match worst {
        Status::Ok => CheckResult::ok(NAME, found),
        Status::Warn => CheckResult::warn(NAME, found, "free space, or move the files to a larger file system"),
        Status::Fail => CheckResult::fail(NAME, found, "free space now: writes fail"),
    }
}

impl Free {
    fn status(self) -> Status {
        match self {
            Self { inodes: Some(0), .. } | Self { bytes: ..FULL, .. } => Status::Fail,
            Self { bytes: ..LOW, .. } => Status::Warn,
            _ => Status::Ok,
        }
    }

    fn shown(self) -> String {
        match self.inodes {
            Some(0) => "no inodes".into(),
            _ => size(self.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_space_is_a_warning_and_none_a_failure() {
        let status = |bytes, inodes| Free { bytes, inodes }.status();
        assert_eq!(status(LOW, Some(1)), Status::Ok);
        assert_eq!(status(LOW - 1, None), Status::Warn);
        assert_eq!([status(FULL - 1, None), status(LOW, Some(0))], [Status::Fail; 2]);
    }
}
