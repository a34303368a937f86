//! The spool: a directory with undelivered events, one per file, which are sent later, oldest first, also after a restart.
//!
//! A file is written under a temporary name, synced and renamed, so that files with the final name are complete. A process locks
//! the file that it sends. Several processes can share a directory; the locks of a process that dies are released.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use crate::category::Category;
use crate::spool_file::{Lock, create, is_envelope};

/// File extension of complete files.
pub(crate) const COMPLETE: &str = "envelope";
/// File extension of files that are being written.
pub(crate) const UNFINISHED: &str = "unfinished";
/// Subdirectory for files that are not valid envelopes.
pub(crate) const QUARANTINE: &str = "quarantine";
/// How often the directory is scanned for files of other processes.
const SCAN_INTERVAL: Duration = Duration::from_secs(5);
/// Unfinished files older than this were left by a process that died.
const MAX_UNFINISHED_AGE: Duration = Duration::from_secs(3600);

pub(crate) struct Spool {
    dir: PathBuf,
    max_bytes: u64,
    max_age: Duration,
    /// The complete files with their sizes, oldest first, as of the last scan, with the files added since.
    files: VecDeque<(PathBuf, u64)>,
    /// When the directory was last scanned.
    scanned_at: Option<Instant>,
    /// Part of each file name, so that two files of one microsecond differ.
    sequence: u32,
    /// Whether to sync files to disk. Without it, files survive the process, but not a power failure.
    pub fsync: bool,
}

/// Removed envelopes and quarantined files.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct SpoolLosses {
    /// Envelopes removed to make room for newer ones.
    pub evicted: u64,
    /// Envelopes removed because of their age.
    pub expired: u64,
    /// Names of the quarantined files.
    pub quarantined: Vec<String>,
    /// The categories of removed envelopes without an event, which an earlier version has spooled.
    pub unsent: Vec<Category>,
}

impl SpoolLosses {
    pub(crate) fn add(&mut self, more: Self) {
        self.evicted += more.evicted;
        self.expired += more.expired;
        self.quarantined.extend(more.quarantined);
        self.unsent.extend(more.unsent);
    }
}

/// An envelope that no other process can send. Dropping the claim releases the lock of the file.
pub(crate) struct Claim {
    path: PathBuf,
    _lock: File,
    pub bytes: Vec<u8>,
}

impl Spool {
    /// Creates a spool in a directory, which is created on first use.
    pub(crate) fn new(dir: &Path, max_bytes: u64, max_age: Duration) -> Self {
        Self {
            dir: dir.to_owned(),
            max_bytes,
            max_age,
            files: VecDeque::new(),
            scanned_at: None,
            sequence: 0,
            fsync: true,
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Stores an envelope and removes the oldest ones to make room for it. Returns the losses.
    pub(crate) fn put(&mut self, category: Category, envelope: &[u8]) -> io::Result<SpoolLosses> {
        if envelope.len() as u64 > self.max_bytes {
            let message = format!("{} bytes exceed sentry.spool_max_bytes ({})", envelope.len(), self.max_bytes);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        let mut losses = self.scan_if_due()?;
        self.sequence = self.sequence.wrapping_add(1);
        let now = Timestamp::now().as_microsecond();
        let name = format!("{now:016}-{:010}-{:08x}.{}", std::process::id(), self.sequence, category.as_str());
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

    /// Claims the oldest envelope that no other process is sending, after skipping `skip` envelopes. Removes expired envelopes and
    /// quarantines invalid files.
    pub(crate) fn claim(&mut self, skip: usize) -> io::Result<(Option<Claim>, SpoolLosses)> {
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
                Some(Category::Event) => return Ok((Some(Claim { path, _lock: lock, bytes }), losses)),
                Some(other) => {
                    fs::remove_file(&path)?;
                    losses.unsent.push(other);
                    self.files.remove(at);
                }
                None => {
                    losses.quarantined.push(self.quarantine(&path)?);
                    self.files.remove(at);
                }
            }
        }
        Ok((None, losses))
    }

    /// Moves the first envelope to the end, until the next scan of the directory.
    pub(crate) fn postpone_first(&mut self) {
        if !self.files.is_empty() {
            self.files.rotate_left(1);
        }
    }

    /// Removes a claimed envelope.
    pub(crate) fn remove(&mut self, claim: Claim) -> io::Result<()> {
        // The lock is held until the file is removed.
        let Claim { path, _lock, .. } = claim;
        self.files.retain(|(file, _)| *file != path);
        fs::remove_file(&path)
    }

    fn scan_if_due(&mut self) -> io::Result<SpoolLosses> {
        match self.scanned_at {
            Some(at) if at.elapsed() < SCAN_INTERVAL => Ok(SpoolLosses::default()),
            _ => self.scan(),
        }
    }

    /// Scans the directory.
    fn scan(&mut self) -> io::Result<SpoolLosses> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let mut losses = SpoolLosses::default();
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            // Another process removed it since it was listed.
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
        // File names begin with the time.
        files.sort();
        self.files = files.into();
        self.scanned_at = Some(Instant::now());
        Ok(losses)
    }

    /// Moves an invalid file to the quarantine. It is not removed, since it may belong to another program.
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
                // Another process is sending it and will remove it.
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
