//! Spool files: locking, creation and validation.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The lock of a file, which is required to send or remove it.
pub(crate) enum Lock {
    Held(File),
    /// Another process holds it.
    Busy,
    Removed,
}

impl Lock {
    pub(crate) fn try_acquire(path: &Path) -> io::Result<Self> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lock::Removed),
            Err(error) => return Err(error),
        };
        Self::acquire(file)
    }

    fn acquire(file: File) -> io::Result<Self> {
        match file.try_lock() {
            // Another process may have sent and removed the file since it was opened.
            Ok(()) if file.metadata()?.nlink() == 0 => Ok(Lock::Removed),
            Ok(()) => Ok(Lock::Held(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(Lock::Busy),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Writes a new file that only its owner can read.
pub(crate) fn create(path: &Path, envelope: &[u8], fsync: bool) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(envelope)?;
    if fsync { file.sync_all() } else { Ok(()) }
}

/// Whether the content is a valid envelope with at least one complete item.
pub(crate) fn is_envelope(bytes: &[u8]) -> bool {
    sentry::Envelope::from_slice(bytes).is_ok_and(|envelope| envelope.items().next().is_some())
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{TempDir, bytes, event};
    use super::*;

    #[test]
    fn a_lock_is_exclusive() {
        let dir = TempDir::new();
        fs::create_dir(dir.path()).expect("it is created");
        let path = dir.path().join("file");
        create(&path, b"content", true).expect("it is written");
        let held = Lock::try_acquire(&path).expect("it is there");
        assert!(matches!(held, Lock::Held(_)));
        assert!(matches!(Lock::try_acquire(&path), Ok(Lock::Busy)));
        drop(held);
        assert!(matches!(Lock::try_acquire(&path), Ok(Lock::Held(_))));
    }

    #[test]
    fn a_removed_file_cannot_be_locked() {
        let dir = TempDir::new();
        fs::create_dir(dir.path()).expect("it is created");
        let path = dir.path().join("file");
        create(&path, b"content", false).expect("it is written");
        let opened = File::open(&path).expect("it is there");
        fs::remove_file(&path).expect("it is removed");
        assert!(matches!(Lock::acquire(opened), Ok(Lock::Removed)), "after it was opened");
        assert!(matches!(Lock::try_acquire(&path), Ok(Lock::Removed)), "before it was opened");
    }

    #[test]
    fn other_errors_are_returned() {
        let dir = TempDir::new();
        fs::write(dir.path(), "").expect("it is written");
        assert!(Lock::try_acquire(&dir.path().join("file")).is_err());
        fs::remove_file(dir.path()).expect("it is removed");
    }

    #[test]
    fn existing_files_are_not_overwritten() {
        let dir = TempDir::new();
        fs::create_dir(dir.path()).expect("it is created");
        let path = dir.path().join("file");
        create(&path, b"content", true).expect("it is written");
        assert!(create(&path, b"other", true).is_err());
        assert_eq!(fs::read(&path).expect("it is there"), b"content");
    }

    #[test]
    fn a_valid_envelope_has_a_complete_item() {
        let complete = bytes(&event("complete"));
        assert!(is_envelope(&complete));
        assert!(!is_envelope(&complete[..complete.len() / 2]));
        assert!(!is_envelope(b"{}\n"));
        assert!(!is_envelope(b""));
    }
}
