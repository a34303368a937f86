//! Online backup: copies the database to a new file while other processes read and write it.
//!
//! A read transaction that is open during all of it gives the copy one state, and writers do not wait for readers in WAL mode.
//! Without it SQLite would begin again after each write by another process. Meanwhile the WAL file grows with each write.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rusqlite::backup::{self, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use serde::Serialize;

use super::backup_file::NewFile;
use super::open;
use super::url::{Location, SqliteUrl};

/// Number of pages that are copied between two pauses: 1 MiB.
const PAGES_PER_STEP: i32 = 256;
/// Leaves the disk to the service between two steps; at most 200 MiB are copied in a second.
const PAUSE: Duration = Duration::from_millis(5);

/// A finished backup.
#[derive(Debug, Clone, Copy, Serialize)]
#[non_exhaustive]
pub struct Backup {
    /// Size of the file in bytes.
    pub bytes: u64,
}

/// How far a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackupProgress {
    /// Pages are copied.
    Copying {
        /// Bytes that have been copied.
        copied: u64,
        /// Bytes of the database.
        total: u64,
    },
    /// The copy is complete; its integrity is checked.
    Checking,
}

/// Why there is no backup. Nothing of it remains on the disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The database is not a SQLite file.
    #[error("{0}")]
    NotAFile(String),
    /// The database cannot be read.
    #[error("the database {0}")]
    Unreadable(String),
    /// The copy cannot be written, or it is damaged.
    #[error("cannot write the backup: {0}")]
    Failed(String),
}

/// Writes a copy to a new file, and checks it. Blocks.
pub(in crate::database) fn back_up(
    url: &str,
    parsed: &SqliteUrl,
    file: &Path,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<Backup, BackupError> {
    if parsed.location == Location::Memory {
        return Err(BackupError::NotAFile("the database is in memory, which only its own process can read".into()));
    }
    let unreadable = |error: rusqlite::Error| BackupError::Unreadable(format!("{url} {}", open::explain(&error)));
    let source = open::reader(parsed).map_err(unreadable)?;
    let page_size = begin_snapshot(&source).map_err(unreadable)?;
    let new = NewFile::create(file).map_err(BackupError::Failed)?;

    let mut copy = open_copy(new.path()).map_err(|error| failed(&error))?;
    copy_pages(&source, &mut copy, page_size, progress)?;
    drop(source);
    progress(BackupProgress::Checking);
    check(&copy)?;
    copy.close().map_err(|(_, error)| failed(&error))?;
    let bytes = new.publish(file).map_err(BackupError::Failed)?;
    Ok(Backup { bytes })
}

/// Opens a read transaction; returns the size of a page in bytes.
fn begin_snapshot(source: &Connection) -> rusqlite::Result<u64> {
    source.execute_batch("BEGIN")?;
    // The transaction begins with the first read.
    source.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    source.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0)).map(u64::from)
}

fn open_copy(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copy = Connection::open_with_flags(path, flags)?;
    // An incomplete copy is deleted, and a complete one is synced at the end.
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")?;
    Ok(copy)
}

fn copy_pages(
    source: &Connection,
    copy: &mut Connection,
    page_size: u64,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<(), BackupError> {
    let running = backup::Backup::new(source, copy).map_err(|error| failed(&error))?;
    loop {
        let step = running.step(PAGES_PER_STEP).map_err(|error| failed(&error))?;
        let backup::Progress { remaining, pagecount } = running.progress();
        let bytes = |pages: i32| u64::try_from(pages).unwrap_or_default() * page_size;
        progress(BackupProgress::Copying { copied: bytes(pagecount - remaining), total: bytes(pagecount) });
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => sleep(PAUSE),
            // The read transaction excludes both for the database, and no other process knows the copy.
            _ => return Err(BackupError::Failed("another process uses the new file".into())),
        }
    }
}

/// Makes the copy one file without a WAL, and checks it.
fn check(copy: &Connection) -> Result<(), BackupError> {
    let text = |sql: &str| copy.query_row(sql, [], |row| row.get::<_, String>(0)).map_err(|error| failed(&error));
    let mode = text("PRAGMA journal_mode = DELETE")?;
    if mode != "delete" {
        return Err(BackupError::Failed(format!("the copy remains in journal mode {mode}")));
    }
    let integrity = text("PRAGMA integrity_check(1)")?;
    if integrity != "ok" {
        return Err(BackupError::Failed(format!(
            "the copy is damaged ({integrity}), and so is probably the database: check it with PRAGMA integrity_check"
        )));
    }
    Ok(())
}

fn failed(error: &rusqlite::Error) -> BackupError {
    BackupError::Failed(match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full".into(),
        _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_copy_is_refused() {
        let copy = Connection::open_in_memory().expect("a database");
        copy.execute_batch(
            "CREATE TABLE a (b CHECK (b > 0)); PRAGMA ignore_check_constraints = ON; INSERT INTO a VALUES (0)",
        )
        .expect("a table");
        assert!(check(&copy).is_err());
    }
}
