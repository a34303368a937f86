//! SQLite: a file in WAL mode. Statements run on the calling thread: a read on a connection that it uses exclusively, writes
//! one at a time on the single writing connection.
//!
//! A SQLite statement lasts microseconds and never waits for a network, so moving it to another thread would cost more than
//! the statement. Only waiting for a write by another process can last long, and that does not block the thread.

mod backup;
mod backup_file;
mod backup_stop;
mod inspect;
mod open;
mod ownership;
mod statements;
mod transaction;
mod url;

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::Connection;

use super::error::{DatabaseError, OutageCause, Result};
use super::migrations::{BlueprintMigrations, NamedMigrations, Program};
use super::options::Options;
use super::pool::PoolStatus;
use super::row::FromRow;
use super::value::ToSql;

pub(super) use backup::back_up;
pub use backup::{Backup, BackupError, BackupProgress};
pub use backup_stop::BackupStop;
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
    /// The number of reading connections that are open.
    open_readers: AtomicUsize,
    /// The writing connection; waiters acquire it in order.
    writer: Arc<tokio::sync::Mutex<Connection>>,
    /// The number of statements and transactions that wait for the writing connection.
    waiting: AtomicUsize,
    /// Maximum wait for the writing connection, and for a write by another process.
    busy_timeout: Duration,
}

impl Sqlite {
    pub(super) async fn open(options: &Options, migrations: Vec<NamedMigrations>, program: Program) -> Result<Self> {
        let (url, parsed) = parse(options)?;
        let migrate = options.migrate;
        let opening = move |url: &str, parsed: &SqliteUrl| open::open(url, parsed, migrations, program, migrate);
        let (writer, _) = blocking(&url, &parsed, opening).await?;
        let writer = Arc::new(tokio::sync::Mutex::new(writer));
        Ok(Self {
            url,
            parsed,
            readers: Mutex::default(),
            open_readers: AtomicUsize::new(0),
            writer,
            waiting: AtomicUsize::new(0),
            busy_timeout: options.acquire_timeout,
        })
    }

    /// Runs the migrations, and returns those that ran.
    pub(super) async fn migrate(
        options: &Options,
        migrations: Vec<NamedMigrations>,
        program: Program,
    ) -> Result<Vec<BlueprintMigrations>> {
        let (url, parsed) = parse(options)?;
        let opening = move |url: &str, parsed: &SqliteUrl| open::open(url, parsed, migrations, program, true);
        Ok(blocking(&url, &parsed, opening).await?.1)
    }

    /// The state of each migration.
    pub(super) async fn migration_status(
        options: &Options,
        migrations: Vec<NamedMigrations>,
    ) -> Result<Vec<BlueprintMigrations>> {
        let (url, parsed) = parse(options)?;
        let reading = move |url: &str, parsed: &SqliteUrl| open::migration_status(url, parsed, migrations);
        blocking(&url, &parsed, reading).await
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

    pub(super) fn pool(&self) -> PoolStatus {
        let idle_readers = self.readers.lock().len();
        let is_writing = self.writer.try_lock().is_err();
        PoolStatus {
            max: None,
            idle: idle_readers + usize::from(!is_writing),
            used: self.open_readers.load(Ordering::Relaxed).saturating_sub(idle_readers) + usize::from(is_writing),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
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
            None => {
                let reader = open::reader(&self.parsed).map_err(|error| self.error(error))?;
                self.open_readers.fetch_add(1, Ordering::Relaxed);
                reader
            }
        };
        let read = rows_if_readonly(&reader, sql, values);
        self.readers.lock().push(reader);
        read.map_err(|failed| self.failed(failed))
    }

    async fn writer(&self) -> Result<Writer> {
        if let Ok(writer) = Arc::clone(&self.writer).try_lock_owned() {
            return Ok(writer);
        }
        let _waiting = Waiting::begin(&self.waiting);
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

/// Counts a wait until it ends, also when its future is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn parse(options: &Options) -> Result<(String, SqliteUrl)> {
    let parsed = SqliteUrl::parse(&options.url);
    let parsed = parsed.map_err(|why| DatabaseError::OpenFailed(format!("the database URL {why}").into()))?;
    Ok((options.url.clone(), parsed))
}

/// Runs work on the file that can block, on another thread.
async fn blocking<T: Send + 'static>(
    url: &str,
    parsed: &SqliteUrl,
    work: impl FnOnce(&str, &SqliteUrl) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (own_url, parsed) = (url.to_owned(), parsed.clone());
    #[expect(clippy::disallowed_methods, reason = "the database opens outside requests")]
    let done = tokio::task::spawn_blocking(move || work(&own_url, &parsed)).await;
    done.unwrap_or_else(|error| match error.try_into_panic() {
        // The panic hook has reported it.
        Ok(payload) => resume_unwind(payload),
        Err(error) => Err(DatabaseError::OpenFailed(format!("the database {url}: {error}").into())),
    })
}
