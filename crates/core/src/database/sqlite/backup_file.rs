//! The file of a backup: it appears complete under its name, or not at all, and never replaces another file.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

/// The copy contains what the database contains: only its owner may read it.
const PRIVATE_FILE: u32 = 0o600;
/// Behind the name of a file that is not complete.
const UNFINISHED: &str = ".unfinished";

/// A file under a temporary name beside the final one. Dropping it deletes it.
pub(super) struct NewFile {
    path: PathBuf,
    /// Locked until the end of the process, so that others see whether it still writes the file.
    file: File,
    is_published: bool,
}

/// A file that has its final name.
pub(super) struct Published {
    pub bytes: u64,
    /// Whether its name survives a power failure.
    pub synced: Result<(), String>,
}

impl NewFile {
    /// Creates the file, unless the final name is in use. It replaces the file that a killed process has left.
    pub(super) fn create(file: &Path) -> Result<Self, String> {
        if file.symlink_metadata().is_ok() {
            return Err(exists(file));
        }
        let mut name = file.as_os_str().to_owned();
        name.push(UNFINISHED);
        let path = PathBuf::from(name);
        let failed = |error: io::Error| format!("{}: {error}", path.display());
        let create = || OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(&path);
        let created = match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                remove_abandoned(&path)?;
                create()
            }
            created => created,
        };
        let created = created.map_err(failed)?;
        // Between the two steps another process may have taken it for an abandoned file.
        if !lock(&created, &path).map_err(failed)? {
            return Err(is_written(&path));
        }
        Ok(Self { path, file: created, is_published: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the file, and gives it its final name, unless that is in use.
    pub(super) fn publish(mut self, file: &Path) -> Result<Published, String> {
        let named = |error: io::Error| format!("{}: {error}", file.display());
        self.file.sync_all().map_err(named)?;
        let bytes = self.file.metadata().map_err(named)?.len();
        let directory = file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // What can fail precedes the new name: a published file is not taken back.
        let directory = File::open(directory).map_err(named)?;
        rename_new(&self.path, file).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(file),
            _ => named(error),
        })?;
        self.is_published = true;
        let synced = match directory.sync_all() {
            // Some file systems cannot sync a directory.
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(named(error)),
            _ => Ok(()),
        };
        Ok(Published { bytes, synced })
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.is_published {
            return;
        }
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let mut name = self.path.clone().into_os_string();
            name.push(suffix);
            // Those that do not exist cannot be deleted.
            let _ = fs::remove_file(name);
        }
    }
}

/// Removes the file of a process that was killed; it contains what the database contained.
fn remove_abandoned(path: &Path) -> Result<(), String> {
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let abandoned = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(failed)?,
    };
    if !lock(&abandoned, path).map_err(failed)? {
        return Err(is_written(path));
    }
    // Only the process that holds its lock removes a file, so this is still the one that was locked.
    fs::remove_file(path).map_err(failed)
}

/// Locks a file, unless another process has it, or has replaced it.
fn lock(file: &File, path: &Path) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let here = file.metadata().map(identity)?;
    Ok(path.symlink_metadata().is_ok_and(|there| identity(there) == here))
}

/// Renames a file without replacing another one.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system, or the kernel, has no such rename, but may have hard links, which never replace a file either.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_new(from, to),
        renamed => renamed.map_err(io::Error::from),
    }
}

fn link_new(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    // The file has its final name; another one for it does no harm.
    let _ = fs::remove_file(from);
    Ok(())
}

fn exists(file: &Path) -> String {
    format!("{} exists, and a backup never replaces a file: choose another name", file.display())
}

fn is_written(path: &Path) -> String {
    format!("another process writes {}: wait for its end, or choose another name", path.display())
}

#[cfg(test)]
mod tests {
    use test_harness::scratch::Scratch;

    use super::*;

    #[test]
    fn no_way_to_rename_replaces_a_file() {
        let directory = Scratch::new("renames");
        let path = |name: &str| directory.join(name);
        for rename in [rename_new, link_new] {
            fs::write(path("new"), "new").expect("it is written");
            fs::write(path("old"), "old").expect("it is written");
            let refused = rename(&path("new"), &path("old")).expect_err("it exists");
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(path("old")).expect("it is there"), b"old");
            rename(&path("new"), &path("final")).expect("the name is free");
            assert_eq!(directory.names(), ["final", "old"]);
            fs::remove_file(path("final")).expect("it is there");
        }
    }

    #[test]
    fn an_abandoned_file_is_replaced_and_one_in_use_is_not() {
        let directory = Scratch::new("abandoned");
        let target = directory.join("backup.db");
        fs::write(directory.join("backup.db.unfinished"), "abandoned").expect("it is written");
        let first = NewFile::create(&target).expect("no process has it");
        assert_eq!(fs::read(first.path()).expect("it is there"), b"");
        let refused = NewFile::create(&target).err().expect("it is in use");
        assert!(refused.contains("another process writes"), "{refused}");
        assert_eq!(directory.names(), ["backup.db.unfinished"], "the refused one has removed nothing");
        let published = first.publish(&target).expect("it is published");
        assert_eq!((published.bytes, published.synced), (0, Ok(())));
        assert_eq!(directory.names(), ["backup.db"]);
        drop(NewFile::create(&directory.join("other.db")).expect("the name is free"));
        assert_eq!(directory.names(), ["backup.db"]);
    }
}
