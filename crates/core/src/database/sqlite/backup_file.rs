//! The file of a backup: it appears complete under its name, or not at all, and never replaces another file.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The copy contains what the database contains: only its owner may read it.
const PRIVATE_FILE: u32 = 0o600;

/// A file under a temporary name beside the final one. Dropping it deletes it.
pub(super) struct NewFile {
    path: PathBuf,
}

impl NewFile {
    /// Creates the file, unless the final name is in use. A process that is killed leaves `NAME.unfinished-PID` behind.
    pub(super) fn create(file: &Path) -> Result<Self, String> {
        if file.symlink_metadata().is_ok() {
            return Err(exists(file));
        }
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".unfinished-{}", std::process::id()));
        let path = PathBuf::from(name);
        let created = OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(&path);
        created.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the file, and gives it its final name, unless that is in use. Returns its size in bytes.
    pub(super) fn publish(self, file: &Path) -> Result<u64, String> {
        let named = |error: io::Error| format!("{}: {error}", file.display());
        let opened = File::open(&self.path).map_err(named)?;
        opened.sync_all().map_err(named)?;
        // Unlike a rename, a link never replaces a file.
        fs::hard_link(&self.path, file).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(file),
            _ => named(error),
        })?;
        let size = opened.metadata().map_err(named)?.len();
        let directory = file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        drop(self);
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(named)?;
        Ok(size)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let mut name = self.path.clone().into_os_string();
            name.push(suffix);
            // Those that do not exist cannot be deleted.
            let _ = fs::remove_file(name);
        }
    }
}

fn exists(file: &Path) -> String {
    format!("{} exists, and a backup never replaces a file: choose another name", file.display())
}
