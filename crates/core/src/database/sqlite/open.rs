//! Opening a SQLite database: private files, one process at a time, migrations.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::super::error::DatabaseError;
use super::super::migrations::{self, NamedMigrations, Program};
use super::url::{Location, SqliteUrl};

/// The database holds passwords' hashes and personal data: only its own user may read it.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIRECTORY: u32 = 0o700;
/// A reader meets a lock only while another process recovers or closes the file.
const READER_BUSY_TIMEOUT: Duration = Duration::from_secs(1);
/// Statements that stay prepared on each connection.
const CACHED_STATEMENTS: usize = 128;

/// Opens the database and brings its schema up to date; gives the connection that writes. Blocks.
pub(super) fn open(
    url: &str,
    parsed: &SqliteUrl,
    migrations: Vec<NamedMigrations>,
    program: Program,
) -> Result<Connection, DatabaseError> {
    let start = |what: String| DatabaseError::Start(format!("the database {url} {what}"));
    // Several processes may start at once; setting WAL and migrating are for one at a time.
    let _alone = match &parsed.location {
        Location::File(path) => Some(prepare(path, parsed.create).map_err(start)?),
        Location::Memory => None,
    };
    let mut writer = connect(parsed).map_err(|error| start(explained(&error)))?;
    configure_file(&writer).map_err(|error| start(explained(&error)))?;
    migrations::run_on_sqlite(&mut writer, migrations, program)?;
    // The writer waits without blocking its thread: see `Sqlite::retry_while_busy`.
    writer.busy_timeout(Duration::ZERO).map_err(|error| start(explained(&error)))?;
    Ok(writer)
}

/// A connection of its own to the same file.
pub(super) fn reader(parsed: &SqliteUrl) -> rusqlite::Result<Connection> {
    let reader = connect(parsed)?;
    reader.busy_timeout(READER_BUSY_TIMEOUT)?;
    Ok(reader)
}

fn connect(parsed: &SqliteUrl) -> rusqlite::Result<Connection> {
    // One thread at a time has a connection, so SQLite needs no lock of its own; a path is a path, never a URI.
    let access = if parsed.read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match (&parsed.location, &parsed.vfs) {
        (Location::Memory, _) => Connection::open_in_memory()?,
        (Location::File(path), None) => Connection::open_with_flags(path, flags)?,
        (Location::File(path), Some(vfs)) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str())?,
    };
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // A prepared statement stays as it is, whatever its parameters: SQLite would plan it anew for some of them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL")?;
    Ok(connection)
}

/// Sets WAL, and finds out at once what would fail at the first write otherwise: a database that can only be read.
fn configure_file(writer: &Connection) -> rusqlite::Result<()> {
    writer.busy_timeout(Duration::from_secs(5))?;
    writer.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    writer.execute_batch("BEGIN IMMEDIATE; ROLLBACK")
}

/// Creates directory and file when they are missing, for this user alone, and holds a lock on a file beside the database.
fn prepare(database: &Path, create: bool) -> Result<File, String> {
    if let Some(directory) = database.parent().filter(|directory| !directory.as_os_str().is_empty() && create) {
        DirBuilder::new()
            .recursive(true)
            .mode(PRIVATE_DIRECTORY)
            .create(directory)
            .map_err(|error| format!("cannot be made: its directory {}: {error}", directory.display()))?;
    }
    if create && !database.exists() {
        match OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(database) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(format!("cannot be opened: is its path right, and may this user write there? ({error})"));
            }
            // Another process may have been faster.
            _ => {}
        }
    }
    let path = lock_file(database);
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(PRIVATE_FILE).open(&path);
    let file = file.map_err(|error| format!("cannot be opened: {}: {error}", path.display()))?;
    file.lock().map_err(|error| format!("cannot be locked: {}: {error}", path.display()))?;
    Ok(file)
}

fn lock_file(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// What is wrong, in words that an operator can act on.
fn explained(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, NotADatabase, ReadOnly};
    match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => {
            "is locked by another process: stop that one, or wait until it is done".into()
        }
        Some(ReadOnly) => "is read-only: it and its directory must be writable".into(),
        Some(CannotOpen) => "cannot be opened: is its path right, and may this user write there?".into(),
        Some(NotADatabase) => "is not a database: another file is in its place".into(),
        _ => format!("cannot be used: {error}"),
    }
}
