//! Whose the files are that a command of root creates for a service of another user: SQLite gives its log and its index the owner
//! of the database in the same way.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Gid, OFlags, Uid, fchown};

/// The database contains password hashes and personal data: only its owner may read it.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIRECTORY: u32 = 0o700;

/// Creates the missing directories of a path, for the owner of the one above them.
pub(super) fn create_directories(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let Some(parent) = path.parent() else { return Ok(()) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    create_directories(parent)?;
    match DirBuilder::new().mode(PRIVATE_DIRECTORY).create(path) {
        // Another process may have created it first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        created => created?,
    }
    let owner = fs::metadata(parent)?;
    if is_for_another(&owner) {
        // The owner of the parent may have put a link there.
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::DIRECTORY).bits()).unwrap_or_default();
        give(OpenOptions::new().read(true).custom_flags(flags).open(path)?, &owner)?;
    }
    Ok(())
}

/// Creates a file for this owner; `None` if it exists.
pub(super) fn create_file(path: &Path, owner: &Metadata) -> io::Result<Option<File>> {
    // Never through a link.
    let file = match OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
        created => created?,
    };
    if is_for_another(owner) {
        give(&file, owner)?;
    }
    Ok(Some(file))
}

fn is_for_another(owner: &Metadata) -> bool {
    rustix::process::geteuid().is_root() && owner.uid() != 0
}

fn give(created: impl AsFd, owner: &Metadata) -> io::Result<()> {
    Ok(fchown(created, Some(Uid::from_raw(owner.uid())), Some(Gid::from_raw(owner.gid())))?)
}
