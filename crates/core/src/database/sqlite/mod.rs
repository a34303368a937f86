//! SQLite: a file in WAL mode. Statements run on the calling thread: a read on a connection that it uses exclusively, writes
//! one at a time on the single writing connection.
//!
//! A SQLite statement lasts microseconds and never waits for a network, so moving it to another thread would cost more than
//! the statement. Only waiting for a write by another process can last long, and that does not block the thread.

mod inspect;
mod open;
mod statements;
mod transaction;
mod url;

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::Connection;

use super::error::{DatabaseError, OutageCause, Result};
use super::migrations::{NamedMigrations, Program};
use super::options::Options;
use super::row::FromRow;
use super::value::ToSql;

use statements::{StatementFailure, Writer, changes, is_busy, rows, rows_if_readonly, statement_error};
pub(super) use transaction::SqliteTransaction;
use url::Location;
pub(super) use url::SqliteUrl;

const INITIAL_BACKOFF: Duration = Duration::from_millis(1);
const MAX_BACKOFF: Duration = Duration::from_millis(20);

pub(super) struct Sqlite {
    url: String,
    parsed: SqliteUrl,
    /// Idle reading connections; at most one per thread that has read concurrently.
    readers: Mutex<Vec<Connection>>,
    /// The writing connection; waiters acquire it in order.
    writer: Arc<tokio::sync::Mutex<Connection>>,
    /// Maximum wait for the writing connection, and for a write by another process.
    busy_timeout: Duration,
}

impl Sqlite {
    pub(super) async fn open(options: &Options, migrations: Vec<NamedMigrations>, program: Program) -> Result<Self> {
        let url = options.url.clone();
        let parsed =
            SqliteUrl::parse(&url).map_err(|why| DatabaseError::OpenFailed(format!("the database URL {why}")))?;
        let opened = {
            let (url, parsed) = (url.clone(), parsed.clone());
            #[expect(clippy::disallowed_methods, reason = "the database opens outside requests")]
            tokio::task::spawn_blocking(move || open::open(&url, &parsed, migrations, program)).await
        };
        let writer = opened.unwrap_or_else(|error| match error.try_into_panic() {
            // The panic hook has reported it.
            Ok(payload) => resume_unwind(payload),
            Err(error) => Err(DatabaseError::OpenFailed(format!("the database {url}: {error}"))),
        })?;
        let writer = Arc::new(tokio::sync::Mutex::new(writer));
        Ok(Self { url, parsed, readers: Mutex::default(), writer, busy_timeout: options.acquire_timeout })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Absolute path of the file; `None` in memory.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.parsed.file()
    }

    pub(super) async fn query<T: FromRow>(&self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<T>> {
        if let Some(rows) = self.read(sql, values)? {
            return Ok(rows);
        }
        let mut writer = self.writer().await?;
        self.retry_while_busy(&mut writer, |writer| rows(writer, sql, values)).await
    }

    pub(super) async fn execute(&self, sql: &str, values: &[&dyn ToSql]) -> Result<u64> {
        let mut writer = self.writer().await?;
        self.retry_while_busy(&mut writer, |writer| changes(writer, sql, values)).await
    }

    pub(super) async fn begin(&self) -> Result<SqliteTransaction> {
        let mut writer = self.writer().await?;
        self.retry_while_busy(&mut writer, |writer| Ok(writer.execute_batch("BEGIN IMMEDIATE")?)).await?;
        Ok(SqliteTransaction::new(writer))
    }

    pub(super) async fn ping(&self) -> Result<()> {
        self.query::<(i64,)>("SELECT 1", &[]).await.map(|_| ())
    }

    /// Reads on the calling thread; `None` if the statement writes, or if the database is in memory.
    fn read<T: FromRow>(&self, sql: &str, values: &[&dyn ToSql]) -> Result<Option<Vec<T>>> {
        if self.parsed.location == Location::Memory {
            // Each connection to `:memory:` has a separate database, so there is only the writing one.
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
        let waited = tokio::time::timeout(self.busy_timeout, waiting).await;
        waited.map_err(|_| DatabaseError::outage(&self.url, OutageCause::WriterBusy, None))
    }

    /// Runs a statement, and retries it while another process writes, without blocking the thread.
    async fn retry_while_busy<R>(
        &self,
        writer: &mut Writer,
        mut attempt: impl FnMut(&Connection) -> std::result::Result<R, StatementFailure>,
    ) -> Result<R> {
        let began = Instant::now();
        let mut backoff = INITIAL_BACKOFF;
        loop {
            match attempt(writer) {
                Err(StatementFailure::Driver(error)) if is_busy(&error) && began.elapsed() < self.busy_timeout => {
                    tokio::time::sleep(backoff).await;
                    backoff = (backoff * 2).min(MAX_BACKOFF);
                }
                outcome => return outcome.map_err(|failed| self.failed(failed)),
            }
        }
    }

    fn failed(&self, failed: StatementFailure) -> DatabaseError {
        match failed {
            StatementFailure::Driver(error) => self.error(error),
            StatementFailure::Row(error) => error,
        }
    }

    fn error(&self, error: rusqlite::Error) -> DatabaseError {
        if is_busy(&error) {
            return DatabaseError::outage(&self.url, OutageCause::Locked, Some(error.into()));
        }
        statement_error(error)
    }
}
