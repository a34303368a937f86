//! Envelopes that wait on disk until Sentry takes them: a file each, the oldest first, after a restart too.
//!
//! A file is complete once it has its name: it is written under another, synced and renamed. Whoever sends one holds its
//! lock, so several processes may share a directory, and one that dies lets go.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use super::endpoint::Category;

/// The end of a complete file's name.
const COMPLETE: &str = "envelope";
/// The end of a name that is being written under.
const UNFINISHED: &str = "unfinished";
/// Where what is no envelope is put.
const ASIDE: &str = "aside";
/// Other processes' files are looked for this often.
const SCAN_EVERY: Duration = Duration::from_secs(5);
/// What has been unfinished for so long was left by a process that died.
const FORGOTTEN: Duration = Duration::from_secs(3600);

pub(super) struct Spool {
    dir: PathBuf,
    max_bytes: u64,
    max_age: Duration,
    /// The complete files, oldest first, as of the last look and what was added since.
    files: VecDeque<(PathBuf, u64)>,
    scanned: Option<Instant>,
    count: u32,
    /// Whether there is no time to wait for the disk: what is written then survives the process, but no loss of power.
    hurried: bool,
}

/// What went while room was made, or what was found to be no envelope.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Losses {
    /// Dropped because newer ones needed the room.
    pub crowded_out: u64,
    /// Dropped because they were too old.
    pub expired: u64,
    /// Put aside, each with why.
    pub aside: Vec<String>,
}

/// A file that nobody else sends. Let go when it is dropped.
pub(super) struct Claim {
    path: PathBuf,
    _lock: File,
    pub category: Category,
    pub bytes: Vec<u8>,
}

impl Spool {
    /// A spool in this directory, which is made when it is first needed.
    pub fn new(dir: &Path, max_bytes: u64, max_age: Duration) -> Self {
        Self {
            dir: dir.to_owned(),
            max_bytes,
            max_age,
            files: VecDeque::new(),
            scanned: None,
            count: 0,
            hurried: false,
        }
    }

    /// The process ends: from now on nobody waits for the disk.
    pub fn hurry(&mut self) {
        self.hurried = true;
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Keeps an envelope, and makes room for it; gives back what had to go.
    pub fn put(&mut self, category: Category, envelope: &[u8]) -> io::Result<Losses> {
        if envelope.len() as u64 > self.max_bytes {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than the whole spool may be"));
        }
        let mut losses = self.look()?;
        self.count = self.count.wrapping_add(1);
        let now = Timestamp::now().as_microsecond();
        let name = format!("{now:016}-{:010}-{:08x}.{}", std::process::id(), self.count, category.as_str());
        let unfinished = self.dir.join(format!("{name}.{UNFINISHED}"));
        let written = write(&unfinished, envelope, !self.hurried).and_then(|()| {
            let path = self.dir.join(format!("{name}.{COMPLETE}"));
            fs::rename(&unfinished, &path)?;
            if !self.hurried {
                File::open(&self.dir)?.sync_all()?;
            }
            Ok(path)
        });
        let path = written.inspect_err(|_| {
            let _ = fs::remove_file(&unfinished);
        })?;
        self.files.push_back((path, envelope.len() as u64));
        losses.crowded_out += self.make_room();
        Ok(losses)
    }

    /// Takes the oldest that nobody else is sending, but for so many. Those that are too old go, and what is no envelope is
    /// put aside.
    pub fn claim(&mut self, but_for: usize) -> io::Result<(Option<Claim>, Losses)> {
        let mut losses = self.look()?;
        let mut at = but_for;
        while let Some((path, _)) = self.files.get(at) {
            let mut lock = match Lock::of(path)? {
                Lock::Held(file) => file,
                Lock::Busy => {
                    at += 1;
                    continue;
                }
                Lock::Gone => {
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
            match category.and_then(Category::named).filter(|_| is_envelope(&bytes)) {
                Some(category) => return Ok((Some(Claim { path, _lock: lock, category, bytes }), losses)),
                None => {
                    losses.aside.push(self.put_aside(&path)?);
                    self.files.remove(at);
                }
            }
        }
        Ok((None, losses))
    }

    /// The first goes behind the others, until the directory is read anew.
    pub fn postpone_first(&mut self) {
        if !self.files.is_empty() {
            self.files.rotate_left(1);
        }
    }

    /// The claimed file is done with.
    pub fn done(&mut self, claim: Claim) -> io::Result<()> {
        // The lock is held until the file is gone.
        let Claim { path, _lock, .. } = claim;
        self.files.retain(|(file, _)| *file != path);
        fs::remove_file(&path)
    }

    fn look(&mut self) -> io::Result<Losses> {
        match self.scanned {
            Some(at) if at.elapsed() < SCAN_EVERY => Ok(Losses::default()),
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
                    if age.is_some_and(|age| age > FORGOTTEN) {
                        fs::remove_file(&path)?;
                    }
                }
                _ => losses.aside.push(self.put_aside(&path)?),
            }
        }
        // Names begin with the time.
        files.sort();
        self.files = files.into();
        self.scanned = Some(Instant::now());
        Ok(losses)
    }

    /// Moves what is no envelope out of the way; whose it is, nobody knows.
    fn put_aside(&self, path: &Path) -> io::Result<String> {
        let aside = self.dir.join(ASIDE);
        DirBuilder::new().recursive(true).mode(0o700).create(&aside)?;
        let name = path.file_name().unwrap_or_default();
        match fs::rename(path, aside.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(name.to_string_lossy().into_owned()),
        }
    }

    fn make_room(&mut self) -> u64 {
        let mut bytes: u64 = self.files.iter().map(|(_, bytes)| bytes).sum();
        let mut gone = 0;
        let mut at = 0;
        while bytes > self.max_bytes {
            let Some((path, size)) = self.files.get(at) else { break };
            match Lock::of(path) {
                Ok(Lock::Held(_lock)) if fs::remove_file(path).is_ok() => gone += 1,
                Ok(Lock::Gone) => {}
                // One that is being sent makes its room by itself.
                _ => {
                    at += 1;
                    continue;
                }
            }
            bytes -= size;
            self.files.remove(at);
        }
        gone
    }
}

/// The right to send a file, or to remove it.
enum Lock {
    Held(File),
    /// Another has it.
    Busy,
    Gone,
}

impl Lock {
    fn of(path: &Path) -> io::Result<Self> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lock::Gone),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            // Another process may have sent and removed it between the two.
            Ok(()) if file.metadata()?.nlink() == 0 => Ok(Lock::Gone),
            Ok(()) => Ok(Lock::Held(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(Lock::Busy),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

fn write(path: &Path, envelope: &[u8], synced: bool) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(envelope)?;
    if synced { file.sync_all() } else { Ok(()) }
}

/// Whether this could have been written here: a header that is an object, and all items as long as they say.
fn is_envelope(bytes: &[u8]) -> bool {
    sentry::Envelope::from_slice(bytes).is_ok_and(|envelope| envelope.items().next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct Dir(PathBuf);

    impl Dir {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("spool-{}", uuid::Uuid::new_v4())))
        }

        fn spool(&self, max_bytes: u64) -> Spool {
            Spool::new(&self.0, max_bytes, Duration::from_secs(3600))
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn envelope(message: &str) -> Vec<u8> {
        // All of one length: a timestamp now has more digits, now fewer.
        let timestamp = SystemTime::UNIX_EPOCH;
        let event = sentry::protocol::Event { message: Some(message.into()), timestamp, ..Default::default() };
        let mut bytes = Vec::new();
        sentry::Envelope::from(event).to_writer(&mut bytes).expect("it can be written");
        bytes
    }

    fn claimed(spool: &mut Spool) -> Option<String> {
        let claim = spool.claim(0).expect("it can be read").0?;
        let text = String::from_utf8_lossy(&claim.bytes).into_owned();
        spool.done(claim).expect("it can be removed");
        text.split("message\":\"").nth(1)?.split('"').next().map(str::to_owned)
    }

    #[test]
    fn what_was_kept_comes_back_in_order_to_another_process_too() {
        let dir = Dir::new();
        let mut spool = dir.spool(1 << 20);
        for message in ["first", "second", "third"] {
            spool.put(Category::Event, &envelope(message)).expect("it is kept");
        }
        let file = fs::read_dir(&dir.0).expect("is there").next().expect("has files").expect("is readable");
        assert_eq!(file.metadata().expect("is there").permissions().mode() & 0o777, 0o600);
        let mut other = dir.spool(1 << 20);
        let held = spool.claim(0).expect("it can be read").0.expect("the first");
        assert_eq!(claimed(&mut other).as_deref(), Some("second"), "the first is being sent by somebody else");
        drop(held);
        assert_eq!(claimed(&mut other).as_deref(), Some("first"));
        assert_eq!(claimed(&mut spool).as_deref(), Some("third"));
        assert_eq!((claimed(&mut spool), claimed(&mut other)), (None, None));
    }

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let dir = Dir::new();
        let size = envelope("message 0").len() as u64;
        let mut spool = dir.spool(3 * size);
        let losses =
            (0..5).map(|n| spool.put(Category::Event, &envelope(&format!("message {n}"))).expect("it is kept"));
        assert_eq!(losses.map(|losses| losses.crowded_out).sum::<u64>(), 2);
        assert_eq!(claimed(&mut spool).as_deref(), Some("message 2"));
        assert!(
            spool.put(Category::Event, &vec![b' '; 4 * size as usize]).is_err(),
            "and nothing goes for one too large"
        );
        assert_eq!(spool.files.len(), 2);
    }

    #[test]
    fn what_is_too_old_goes() {
        let dir = Dir::new();
        dir.spool(1 << 20).put(Category::Event, &envelope("old")).expect("it is kept");
        let mut spool = Spool::new(&dir.0, 1 << 20, Duration::ZERO);
        let (claim, losses) = spool.claim(0).expect("it can be read");
        assert!(claim.is_none());
        assert_eq!(losses.expired, 1);
    }

    #[test]
    fn what_is_no_envelope_is_put_aside_and_the_rest_goes_on() {
        let dir = Dir::new();
        let mut spool = dir.spool(1 << 20);
        spool.put(Category::Event, &envelope("good")).expect("it is kept");
        let torn = &envelope("torn")[..40];
        for (name, content) in [("0-1-1.event.envelope", torn), ("notes.txt", b"mine"), ("0.envelope", b"\0\xff")] {
            fs::write(dir.0.join(name), content).expect("it can be written");
        }
        let mut spool = dir.spool(1 << 20);
        assert_eq!(claimed(&mut spool).as_deref(), Some("good"));
        let aside = fs::read_dir(dir.0.join(ASIDE)).expect("is there").count();
        assert_eq!(aside, 3);
    }
}
