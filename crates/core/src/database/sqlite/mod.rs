//! SQLite: a file in WAL mode. Reads run on the calling thread, each on a connection that it has for itself; writes run
//! there too, one after the other, on the one connection that writes.
//!
//! A statement of SQLite takes microseconds and never waits for a network, so handing it to another thread would cost more
//! than it does. What may take long, the wait for another process's write, does not block the thread.

mod open;
mod transaction;
mod url;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, ffi};
use tokio::sync::OwnedMutexGuard;

use super::error::{DriverError, OutageCause};
use super::migrations::{NamedMigrations, Program};
use super::row::{FromRow, Row};
use super::value::Value;
use super::{DatabaseError, Result};
use crate::settings;

pub(super) use transaction::SqliteTransaction;
use url::{Location, SqliteUrl};

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Sqlite {
    url: String,
    parsed: SqliteUrl,
    /// Connections that read and are free; as many as threads have read at once.
    readers: Mutex<Vec<Connection>>,
    /// The connection that writes. Its waiters are served in order.
    writer: Arc<tokio::sync::Mutex<Connection>>,
    /// How long another process's write is waited for.
    patience: Duration,
}

/// The connection that writes, for as long as this lives.
type Writer = OwnedMutexGuard<Connection>;

impl Sqlite {
    pub async fn open(
        settings: &settings::Database,
        migrations: Vec<NamedMigrations>,
        program: Program,
    ) -> Result<Self> {
        let url = settings.url.clone();
        let parsed = SqliteUrl::parse(&url).map_err(|why| DatabaseError::Start(format!("the database URL {why}")))?;
        let opened = {
            let (url, parsed) = (url.clone(), parsed.clone());
            tokio::task::spawn_blocking(move || open::open(&url, &parsed, migrations, program)).await
        };
        let writer = opened.map_err(|error| DatabaseError::Start(format!("the database {url}: {error}")))??;
        let writer = Arc::new(tokio::sync::Mutex::new(writer));
        Ok(Self { url, parsed, readers: Mutex::default(), writer, patience: settings.acquire_timeout() })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file, as an absolute path; `None` in memory.
    pub fn file(&self) -> Option<PathBuf> {
        match &self.parsed.location {
            Location::File(path) => Some(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
            Location::Memory => None,
        }
    }

    pub async fn query<T: FromRow>(&self, sql: &str, values: &[&dyn Value]) -> Result<Vec<T>> {
        if let Some(rows) = self.read(sql, values)? {
            return Ok(rows);
        }
        let mut writer = self.writer().await?;
        self.retry_while_busy(&mut writer, |writer| rows(writer, sql, values)).await
    }

    pub async fn execute(&self, sql: &str, values: &[&dyn Value]) -> Result<u64> {
        let mut writer = self.writer().await?;
        self.retry_while_busy(&mut writer, |writer| changes(writer, sql, values)).await
    }

    pub async fn begin(&self) -> Result<SqliteTransaction> {
        let mut writer = self.writer().await?;
        self.retry_while_busy(&mut writer, |writer| Ok(writer.execute_batch("BEGIN IMMEDIATE")?)).await?;
        Ok(SqliteTransaction::new(writer))
    }

    pub async fn ping(&self) -> Result<()> {
        self.query::<(i64,)>("SELECT 1", &[]).await.map(|_| ())
    }

    /// Reads on the calling thread; `None` when the statement writes, or when there is one connection for everything.
    fn read<T: FromRow>(&self, sql: &str, values: &[&dyn Value]) -> Result<Option<Vec<T>>> {
        if self.parsed.location == Location::Memory {
            // Each connection would have a memory of its own.
            return Ok(None);
        }
        let free = self.readers.lock().pop();
        let reader = match free {
            Some(reader) => reader,
            None => open::reader(&self.parsed).map_err(|error| self.error(error))?,
        };
        let read = rows_if_readonly(&reader, sql, values);
        self.readers.lock().push(reader);
        read.map_err(|failed| self.failed(failed))
    }

    async fn writer(&self) -> Result<Writer> {
        let waiting = Arc::clone(&self.writer).lock_owned();
        let waited = tokio::time::timeout(self.patience, waiting).await;
        waited.map_err(|_| DatabaseError::outage(&self.url, OutageCause::PoolExhausted, None))
    }

    /// Runs a statement that another process's write may hold up, and waits for that without blocking the thread.
    async fn retry_while_busy<R>(
        &self,
        writer: &mut Writer,
        mut attempt: impl FnMut(&Connection) -> std::result::Result<R, Failed>,
    ) -> Result<R> {
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match attempt(writer) {
                Err(Failed::Driver(error)) if is_busy(&error) && began.elapsed() < self.patience => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                outcome => return outcome.map_err(|failed| self.failed(failed)),
            }
        }
    }

    fn failed(&self, failed: Failed) -> DatabaseError {
        match failed {
            Failed::Driver(error) => self.error(error),
            Failed::Row(error) => error,
        }
    }

    fn error(&self, error: rusqlite::Error) -> DatabaseError {
        if is_busy(&error) {
            return DatabaseError::outage(&self.url, OutageCause::Locked, Some(error.into()));
        }
        statement_error(error)
    }
}

pub(super) fn check_url(url: &str) -> std::result::Result<(), String> {
    SqliteUrl::parse(url).map(|_| ()).map_err(|why| format!("this URL {why}"))
}

/// Why a statement gave no rows: the driver failed, or a row could not be read.
enum Failed {
    Driver(rusqlite::Error),
    Row(DatabaseError),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<Failed> for DatabaseError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Driver(error) => statement_error(error),
            Failed::Row(error) => error,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn statement_error(error: rusqlite::Error) -> DatabaseError {
    let code = error.sqlite_error().map(|error| error.extended_code);
    match code {
        Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => {
            DatabaseError::UniqueViolation(error.into())
        }
        _ => DatabaseError::Statement(DriverError::Sqlite(error)),
    }
}

/// Runs a statement and reads its rows.
fn rows<T: FromRow>(connection: &Connection, sql: &str, values: &[&dyn Value]) -> std::result::Result<Vec<T>, Failed> {
    read_rows(&mut connection.prepare_cached(sql)?, values)
}

/// The same of a statement that only reads; `None` when it writes, and then it is not run.
fn rows_if_readonly<T: FromRow>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn Value],
) -> std::result::Result<Option<Vec<T>>, Failed> {
    let mut statement = connection.prepare_cached(sql)?;
    if !statement.readonly() {
        return Ok(None);
    }
    read_rows(&mut statement, values).map(Some)
}

fn read_rows<T: FromRow>(
    statement: &mut rusqlite::CachedStatement<'_>,
    values: &[&dyn Value],
) -> std::result::Result<Vec<T>, Failed> {
    bind(statement, values)?;
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = statement.raw_query();
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        read.push(T::from_row(&Row::sqlite(row, &names)).map_err(Failed::Row)?);
    }
    Ok(read)
}

/// Runs a statement; gives the number of rows that it has changed.
fn changes(connection: &Connection, sql: &str, values: &[&dyn Value]) -> std::result::Result<u64, Failed> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    if statement.column_count() > 0 {
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        return Ok(connection.changes());
    }
    Ok(statement.raw_execute()? as u64)
}

/// Binds by number: to SQLite `$2` is a name, and its place is where it first stands.
fn bind(statement: &mut rusqlite::CachedStatement<'_>, values: &[&dyn Value]) -> rusqlite::Result<()> {
    for place in 1..=statement.parameter_count() {
        let number = statement.parameter_name(place).and_then(|name| name[1..].parse::<usize>().ok());
        let value = number.and_then(|number| values.get(number.checked_sub(1)?));
        let value = value.ok_or(rusqlite::Error::InvalidParameterCount(values.len(), statement.parameter_count()))?;
        statement.raw_bind_parameter(place, value.to_sqlite()?)?;
    }
    Ok(())
}
