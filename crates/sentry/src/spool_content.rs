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
        content.quarantined = match fs::read_dir(directory.join(QUARANTINE)) {
            Ok(files) => files.count() as u64,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::category::Category;
    use crate::spool::Spool;
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
}
