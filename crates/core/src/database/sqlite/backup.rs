//! Online backup: copies the database to a new file while other processes read and write it.
//!
//! A read transaction that is open during all of it gives the copy one state, and writers do not wait for readers in WAL mode.
//! Without it SQLite would begin again after each write by another process. Meanwhile the WAL file grows with each write.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rusqlite::backup::{self, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use serde::Serialize;

use super::backup_file::{NewFile, Published};
use super::backup_stop::BackupStop;
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

/// Why there is no backup, or no durable one. Except after [`NotSynced`](Self::NotSynced), nothing of it remains on the disk.
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
    /// [`BackupStop::stop`] was called.
    #[error("the backup was stopped: nothing of it remains")]
    Stopped,
    /// The backup is complete and checked, but may be lost in a power failure.
    #[error("the backup is complete, but its directory cannot be synced: {0}")]
    NotSynced(String),
}

/// Writes a copy to a new file, and checks it. Blocks.
pub(in crate::database) fn back_up(
    url: &str,
    parsed: &SqliteUrl,
    file: &Path,
    stop: &BackupStop,
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
    let copied = copy_pages(&source, &mut copy, page_size, &mut |copied| {
        progress(copied);
        stop.is_requested()
    });
    copied.map_err(|error| if is_of_source(&error) { unreadable(error) } else { failed(&error) })?;
    if stop.is_requested() {
        return Err(BackupError::Stopped);
    }
    drop(source);
    progress(BackupProgress::Checking);
    stop.interrupts(&copy);
    let checked = check(&copy);
    if stop.is_requested() {
        return Err(BackupError::Stopped);
    }
    checked?;
    copy.close().map_err(|(_, error)| failed(&error))?;
    let Published { bytes, synced } = new.publish(file).map_err(BackupError::Failed)?;
    synced.map_err(BackupError::NotSynced)?;
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

/// Copies all pages, unless `is_stopped` after a step.
fn copy_pages(
    source: &Connection,
    copy: &mut Connection,
    page_size: u64,
    is_stopped: &mut dyn FnMut(BackupProgress) -> bool,
) -> rusqlite::Result<()> {
    let running = backup::Backup::new(source, copy)?;
    loop {
        let step = running.step(PAGES_PER_STEP)?;
        let backup::Progress { remaining, pagecount } = running.progress();
        let bytes = |pages: i32| u64::try_from(pages).unwrap_or_default() * page_size;
        let stopped =
            is_stopped(BackupProgress::Copying { copied: bytes(pagecount - remaining), total: bytes(pagecount) });
        match step {
            StepResult::Done => return Ok(()),
            _ if stopped => return Ok(()),
            StepResult::More => sleep(PAUSE),
            // The read transaction excludes both for the database, and no other process knows the copy.
            _ => return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)),
        }
    }
}

/// Whether an error of copying is one of reading: pages of the copy are only written.
fn is_of_source(error: &rusqlite::Error) -> bool {
    const READING: [i32; 3] = [ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_SHORT_READ, ffi::SQLITE_IOERR_CORRUPTFS];
    let error = error.sqlite_error();
    error.is_some_and(|error| {
        matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            || READING.contains(&error.extended_code)
    })
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
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another process uses the new file".into(),
        _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_reading_is_not_one_of_writing() {
        let is_of_source = |code: i32| is_of_source(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        let reading = [ffi::SQLITE_IOERR_READ, ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB];
        assert_eq!(reading.map(is_of_source), [true; 3]);
        let writing = [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_FULL, ffi::SQLITE_BUSY];
        assert_eq!(writing.map(is_of_source), [false; 4]);
    }

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
