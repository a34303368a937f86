//! Envelopes that wait on disk until Sentry takes them: a file each, the oldest first, after a restart too.
//!
//! A file is complete once it has its name: it is written under another, synced and renamed. A process that sends one holds
//! its lock, so several processes may share a directory, and the locks of one that dies are free.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use crate::endpoint::Category;
use crate::spool_file::{Lock, create, is_envelope};

/// The end of a complete file's name.
const COMPLETE: &str = "envelope";
/// The end of a name that is being written under.
const UNFINISHED: &str = "unfinished";
/// The directory of what is no envelope.
const QUARANTINE: &str = "aside";
/// Other processes' files are looked for this often.
const SCAN_INTERVAL: Duration = Duration::from_secs(5);
/// What has been unfinished for so long was left by a process that died.
const MAX_UNFINISHED_AGE: Duration = Duration::from_secs(3600);

pub(crate) struct Spool {
    dir: PathBuf,
    max_bytes: u64,
    max_age: Duration,
    /// The complete files, oldest first, as of the last look and what was added since.
    files: VecDeque<(PathBuf, u64)>,
    scanned: Option<Instant>,
    count: u32,
    /// Whether to wait for the disk; without it what is written survives the process, but no loss of power.
    pub fsync: bool,
}

/// What was removed to make room, or for its age, and what was no envelope.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Losses {
    /// Dropped because newer ones needed the room.
    pub evicted: u64,
    /// Dropped because they were too old.
    pub expired: u64,
    /// The names of those that were quarantined.
    pub quarantined: Vec<String>,
}

impl Losses {
    pub(crate) fn add(&mut self, more: Self) {
        self.evicted += more.evicted;
        self.expired += more.expired;
        self.quarantined.extend(more.quarantined);
    }
}

/// A file that no other process sends meanwhile; its lock is free again when this is dropped.
pub(crate) struct Claim {
    path: PathBuf,
    _lock: File,
    pub category: Category,
    pub bytes: Vec<u8>,
}

impl Spool {
    /// A spool in this directory, which is created when it is first needed.
    pub(crate) fn new(dir: &Path, max_bytes: u64, max_age: Duration) -> Self {
        Self { dir: dir.to_owned(), max_bytes, max_age, files: VecDeque::new(), scanned: None, count: 0, fsync: true }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Stores an envelope, and makes room for it; returns what was removed for that.
    pub(crate) fn put(&mut self, category: Category, envelope: &[u8]) -> io::Result<Losses> {
        if envelope.len() as u64 > self.max_bytes {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than the whole spool may be"));
        }
        let mut losses = self.scan_if_due()?;
        self.count = self.count.wrapping_add(1);
        let now = Timestamp::now().as_microsecond();
        let name = format!("{now:016}-{:010}-{:08x}.{}", std::process::id(), self.count, category.as_str());
        let unfinished = self.dir.join(format!("{name}.{UNFINISHED}"));
        let written = create(&unfinished, envelope, self.fsync).and_then(|()| {
            let path = self.dir.join(format!("{name}.{COMPLETE}"));
            fs::rename(&unfinished, &path)?;
            if self.fsync {
                File::open(&self.dir)?.sync_all()?;
            }
            Ok(path)
        });
        let path = written.inspect_err(|_| {
            let _ = fs::remove_file(&unfinished);
        })?;
        self.files.push_back((path, envelope.len() as u64));
        losses.evicted += self.make_room();
        Ok(losses)
    }

    /// Claims the oldest that no other process is sending, but for the first `skip`. Those that are too old are removed, and
    /// what is no envelope is quarantined.
    pub(crate) fn claim(&mut self, skip: usize) -> io::Result<(Option<Claim>, Losses)> {
        let mut losses = self.scan_if_due()?;
        let mut at = skip;
        while let Some((path, _)) = self.files.get(at) {
            let mut lock = match Lock::try_acquire(path)? {
                Lock::Held(file) => file,
                Lock::Busy => {
                    at += 1;
                    continue;
                }
                Lock::Removed => {
                    self.files.remove(at);
                    continue;
                }
            };
            let path = path.clone();
            let age = SystemTime::now().duration_since(lock.metadata()?.modified()?).unwrap_or_default();
            if age > self.max_age {
                fs::remove_file(&path)?;
                losses.expired += 1;
                self.files.remove(at);
                continue;
            }
            let mut bytes = Vec::new();
            lock.read_to_end(&mut bytes)?;
            let category = path.file_stem().map(Path::new).and_then(Path::extension).and_then(OsStr::to_str);
            match category.and_then(Category::from_name).filter(|_| is_envelope(&bytes)) {
                Some(category) => return Ok((Some(Claim { path, _lock: lock, category, bytes }), losses)),
                None => {
                    losses.quarantined.push(self.quarantine(&path)?);
                    self.files.remove(at);
                }
            }
        }
        Ok((None, losses))
    }

    /// Puts the first behind the others, until the directory is read anew.
    pub(crate) fn postpone_first(&mut self) {
        if !self.files.is_empty() {
            self.files.rotate_left(1);
        }
    }

    /// Removes what was claimed.
    pub(crate) fn remove(&mut self, claim: Claim) -> io::Result<()> {
        // The lock is held until the file is evicted.
        let Claim { path, _lock, .. } = claim;
        self.files.retain(|(file, _)| *file != path);
        fs::remove_file(&path)
    }

    fn scan_if_due(&mut self) -> io::Result<Losses> {
        match self.scanned {
            Some(at) if at.elapsed() < SCAN_INTERVAL => Ok(Losses::default()),
            _ => self.scan(),
        }
    }

    /// Reads the directory anew.
    fn scan(&mut self) -> io::Result<Losses> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let mut losses = Losses::default();
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            // Gone since it was listed: another process is at work here too.
            let Ok(metadata) = entry.metadata() else { continue };
            let path = entry.path();
            match path.extension().and_then(OsStr::to_str) {
                _ if metadata.is_dir() => {}
                Some(COMPLETE) if metadata.is_file() => files.push((path, metadata.len())),
                Some(UNFINISHED) => {
                    let age = metadata.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
                    if age.is_some_and(|age| age > MAX_UNFINISHED_AGE) {
                        fs::remove_file(&path)?;
                    }
                }
                _ => losses.quarantined.push(self.quarantine(&path)?),
            }
        }
        // Names begin with the time.
        files.sort();
        self.files = files.into();
        self.scanned = Some(Instant::now());
        Ok(losses)
    }

    /// Moves what is no envelope out of the way: it may be another program's, so it is not removed.
    fn quarantine(&self, path: &Path) -> io::Result<String> {
        let quarantine = self.dir.join(QUARANTINE);
        DirBuilder::new().recursive(true).mode(0o700).create(&quarantine)?;
        let name = path.file_name().unwrap_or_default();
        match fs::rename(path, quarantine.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(name.to_string_lossy().into_owned()),
        }
    }

    fn make_room(&mut self) -> u64 {
        let mut bytes: u64 = self.files.iter().map(|(_, bytes)| bytes).sum();
        let mut evicted = 0;
        let mut at = 0;
        while bytes > self.max_bytes {
            let Some((path, size)) = self.files.get(at) else { break };
            match Lock::try_acquire(path) {
                Ok(Lock::Held(_lock)) if fs::remove_file(path).is_ok() => evicted += 1,
                Ok(Lock::Removed) => {}
                // One that is being sent makes its room by itself.
                _ => {
                    at += 1;
                    continue;
                }
            }
            bytes -= size;
            self.files.remove(at);
        }
        evicted
    }
}

#[cfg(test)]
mod tests;
