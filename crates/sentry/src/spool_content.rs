//! What is in a spool, without changing it.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use crate::spool::{COMPLETE, QUARANTINE};

/// The content of a spool's directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpoolContent {
    /// Number of events.
    pub events: u64,
    /// Size of the events, in bytes.
    pub bytes: u64,
    /// When the oldest event was stored.
    pub oldest: Option<SystemTime>,
    /// Number of damaged files in the quarantine.
    pub quarantined: u64,
}

impl SpoolContent {
    /// Reads a directory. Locks no file, and moves none.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let quarantined = match fs::read_dir(directory.join(QUARANTINE)) {
            Ok(files) => files.count() as u64,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Self { quarantined, ..Self::read_events(directory)? })
    }

    /// Reads the events, which other processes may store and send. Needs no lock: a spool that waits for the disk must not delay it.
    pub(crate) fn read_events(directory: &Path) -> io::Result<Self> {
        let mut content = Self::default();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let is_event = entry.path().extension().and_then(OsStr::to_str) == Some(COMPLETE);
            // Sent and removed since it was listed.
            let Ok(metadata) = entry.metadata() else { continue };
            if is_event && metadata.is_file() {
                content.events += 1;
                content.bytes += metadata.len();
                content.oldest = [content.oldest, metadata.modified().ok()].into_iter().flatten().min();
            }
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::category::Category;
    use crate::spool::{Spool, UNFINISHED};
    use crate::test_support::{TempDir, bytes, event};

    #[test]
    fn events_and_damaged_files_are_counted() {
        let dir = TempDir::new();
        let mut spool = Spool::new(dir.path(), 1 << 20, Duration::from_secs(3600));
        let envelopes = [bytes(&event("a")), bytes(&event("b"))];
        for envelope in &envelopes {
            spool.put(Category::Event, envelope).expect("it is stored");
        }
        let quarantine = dir.path().join(QUARANTINE);
        fs::create_dir(&quarantine).expect("it is created");
        fs::write(quarantine.join("damaged"), "x").expect("it is written");
        let content = SpoolContent::read(dir.path()).expect("it is readable");
        let size: usize = envelopes.iter().map(Vec::len).sum();
        assert_eq!((content.events, content.bytes, content.quarantined), (2, size as u64, 1));
        assert!(content.oldest.is_some_and(|at| at.elapsed().is_ok_and(|age| age < Duration::from_secs(60))));
        assert!(SpoolContent::read(&dir.path().join("missing")).is_err());
    }

    #[test]
    fn only_complete_files_count() {
        let dir = TempDir::new();
        assert!(SpoolContent::read_events(&dir.path().join("missing")).is_err());
        let hour = Duration::from_secs(3600);
        let mut spool = Spool::new(dir.path(), 1 << 20, 24 * hour);
        let [first, second] = ["first", "second"].map(|message| bytes(&event(message)));
        spool.put(Category::Event, &first).expect("it is stored");
        let oldest =
            fs::read_dir(dir.path()).expect("is there").next().expect("has a file").expect("is readable").path();
        let file = fs::File::options().write(true).open(oldest).expect("it exists");
        file.set_modified(SystemTime::now() - hour).expect("its time can be set");
        spool.put(Category::Event, &second).expect("it is stored");
        fs::write(dir.path().join(format!("x.{UNFINISHED}")), "unfinished").expect("it can be written");
        fs::create_dir(dir.path().join(format!("directory.{COMPLETE}"))).expect("it can be created");
        let content = SpoolContent::read_events(dir.path()).expect("it is readable");
        assert_eq!(content.bytes, (first.len() + second.len()) as u64);
        let age = content.oldest.and_then(|at| at.elapsed().ok());
        assert!(age.is_some_and(|age| age >= hour && age < hour + Duration::from_secs(60)), "{content:?}");
    }
}
