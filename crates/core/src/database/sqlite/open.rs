//! Opens a SQLite database: private files, a lock against other processes, migrations.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::super::error::{DatabaseError, OutageCause};
use super::super::explanation::Explanation;
use super::super::migrations::{self, BlueprintMigrations, NamedMigrations, Program};
use super::ownership;
use super::url::{Location, SqliteUrl};

/// A reader is blocked only while another process recovers or closes the file.
const READER_BUSY_TIMEOUT: Duration = Duration::from_secs(1);
/// Number of prepared statements cached on each connection.
const CACHED_STATEMENTS: usize = 128;

/// Opens the database, runs the migrations (or, unless `migrate`, refuses a database that lacks some), and returns the writing
/// connection and the migrations that ran. Blocks.
pub(super) fn open(
    url: &str,
    parsed: &SqliteUrl,
    migrations: Vec<NamedMigrations>,
    program: Program,
    migrate: bool,
) -> Result<(Connection, Vec<BlueprintMigrations>), DatabaseError> {
    let failed = |what: Explanation| DatabaseError::OpenFailed(what.about(&format!("the database {url}")));
    if !migrate && parsed.is_missing() {
        migrations::require_current(&migrations::of_missing_sqlite(migrations.clone()), program)?;
    }
    // Several processes may start at once; only one at a time may set WAL mode and migrate.
    let _lock = match &parsed.location {
        Location::File(path) => Some(prepare(path, parsed.create).map_err(|why| failed(why.into()))?),
        Location::Memory => None,
    };
    let mut writer = connect(parsed).map_err(|error| failed(explain(&error)))?;
    configure_file(&writer).map_err(|error| failed(explain(&error)))?;
    // A database in memory is empty at each start.
    let applied = if migrate || parsed.location == Location::Memory {
        migrations::run_on_sqlite(&mut writer, migrations, program)?
    } else {
        let all = migrations::on_sqlite(&writer, migrations).map_err(|error| failed(explain(&error)))?;
        migrations::require_current(&all, program)?;
        Vec::new()
    };
    // `Sqlite::retry_while_busy` waits without blocking the thread.
    writer.busy_timeout(Duration::ZERO).map_err(|error| failed(explain(&error)))?;
    Ok((writer, applied))
}

/// The state of each migration. A missing database is not created. Blocks.
pub(super) fn migration_status(
    url: &str,
    parsed: &SqliteUrl,
    migrations: Vec<NamedMigrations>,
) -> Result<Vec<BlueprintMigrations>, DatabaseError> {
    if parsed.is_missing() || parsed.location == Location::Memory {
        return Ok(migrations::of_missing_sqlite(migrations));
    }
    let read = observer(parsed).and_then(|connection| migrations::on_sqlite(&connection, migrations));
    read.map_err(|error| DatabaseError::OpenFailed(explain(&error).about(&format!("the database {url}"))))
}

/// Opens a connection that reads, and leaves the files as they are. The last connection that may write copies a log to the database
/// and removes it. One that may not write creates a log where there is none, and leaves it.
pub(super) fn observer(parsed: &SqliteUrl) -> rusqlite::Result<Connection> {
    let log = parsed.file().map(|file| beside(&file, "-wal"));
    let has_log = log.is_some_and(|log| log.exists());
    reader(&SqliteUrl { read_only: parsed.read_only || has_log, ..parsed.clone() })
}

/// Opens another connection to the same file.
pub(super) fn reader(parsed: &SqliteUrl) -> rusqlite::Result<Connection> {
    let reader = connect(parsed)?;
    reader.busy_timeout(READER_BUSY_TIMEOUT)?;
    Ok(reader)
}

pub(super) fn connect(parsed: &SqliteUrl) -> rusqlite::Result<Connection> {
    // Only one thread at a time uses a connection, so SQLite needs no mutex. Without the URI flag a path is never parsed as one.
    let access = if parsed.read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match (&parsed.location, &parsed.vfs) {
        (Location::Memory, _) => Connection::open_in_memory()?,
        (Location::File(path), None) => Connection::open_with_flags(path, flags)?,
        (Location::File(path), Some(vfs)) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str())?,
    };
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // Query planner stability guarantee: prevents SQLite from re-planning a prepared statement for certain parameters.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL")?;
    Ok(connection)
}

/// Sets WAL mode, and detects a read-only database now instead of at the first write.
fn configure_file(writer: &Connection) -> rusqlite::Result<()> {
    writer.busy_timeout(Duration::from_secs(5))?;
    writer.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    writer.execute_batch("BEGIN IMMEDIATE; ROLLBACK")
}

/// Creates a missing directory and file, accessible only to one user, and locks a file next to the database.
fn prepare(database: &Path, create: bool) -> Result<File, String> {
    let directory = database.parent().filter(|directory| !directory.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    if create {
        ownership::create_directories(directory)
            .map_err(|error| format!("cannot be created: directory {}: {error}", directory.display()))?;
    }
    if create && !database.exists() {
        let created = fs::metadata(directory).and_then(|owner| ownership::create_file(database, &owner));
        created.map_err(|error| format!("cannot be opened: check the path and its permissions ({error})"))?;
    }
    let path = beside(database, ".lock");
    // A missing database is reported when it is opened.
    let owner = fs::metadata(database).or_else(|_| fs::metadata(directory));
    let created = owner.and_then(|owner| ownership::create_file(&path, &owner));
    let file = created.and_then(|created| match created {
        Some(created) => Ok(created),
        None => OpenOptions::new().write(true).open(&path),
    });
    let file = file.map_err(|error| format!("cannot be opened: {}: {error}", path.display()))?;
    file.lock().map_err(|error| format!("cannot be locked: {}: {error}", path.display()))?;
    Ok(file)
}

/// The file beside the database whose name ends with this.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The cause and the remedy.
pub(super) fn explain(error: &rusqlite::Error) -> Explanation {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, NotADatabase, ReadOnly};
    let (cause, remedy) = match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => return OutageCause::Locked.explanation(),
        Some(ReadOnly) => ("is read-only", "the file and its directory must be writable"),
        Some(CannotOpen) => ("cannot be opened", "check the path and its permissions"),
        Some(NotADatabase) => ("is not a SQLite database", "check the path"),
        _ => return format!("is unusable: {error}").into(),
    };
    Explanation::new(cause, Some(remedy))
}
