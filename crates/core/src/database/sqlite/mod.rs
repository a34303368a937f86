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
mod readers;
mod statements;
mod transaction;
mod url;

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::OwnedMutexGuard;

use super::error::{DatabaseError, OutageCause, Result};
use super::migrations::{BlueprintMigrations, NamedMigrations, Program};
use super::options::Options;
use super::pool::PoolStatus;
use super::row::FromRow;
use super::value::ToSql;

pub(super) use backup::back_up;
pub use backup::{Backup, BackupError, BackupProgress};
pub use backup_stop::BackupStop;
use readers::Readers;
use statements::{StatementFailure, Writer, changes, is_busy, rows, rows_if_readonly, statement_error};
pub(super) use transaction::SqliteTransaction;
use url::Location;
pub(super) use url::SqliteUrl;

const INITIAL_BACKOFF: Duration = Duration::from_millis(1);
const MAX_BACKOFF: Duration = Duration::from_millis(20);
/// How long a shutdown waits for the log to be written back to the file; usually milliseconds.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(250);

pub(super) struct Sqlite {
    url: String,
    parsed: SqliteUrl,
    readers: Arc<Readers>,
    /// The writing connection, until it is closed; waiters acquire it in order.
    writer: Arc<tokio::sync::Mutex<Option<Connection>>>,
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
        let writer = Arc::new(tokio::sync::Mutex::new(Some(writer)));
        Ok(Self {
            url,
            parsed,
            readers: Arc::default(),
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
        let (idle, used) = self.readers.count();
        let writer = self.writer.try_lock();
        PoolStatus {
            max: None,
            idle: idle + usize::from(writer.as_ref().is_ok_and(|writer| writer.is_some())),
            used: used + usize::from(writer.is_err()),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    pub(super) async fn ping(&self) -> Result<()> {
        self.query::<(i64,)>("SELECT 1", &[]).await.map(|_| ())
    }

    /// Closes the connections, so that all of the data is in the one file when the process ends. If a worker is blocked within a
    /// statement, or the disk stalls, the log remains, which the next start reads.
    pub(super) async fn close(&self) {
        let writer = self.writer.try_lock().ok().and_then(|mut writer| writer.take());
        let readers = Arc::clone(&self.readers);
        #[expect(clippy::disallowed_methods, reason = "the database closes outside requests")]
        let closing = tokio::task::spawn_blocking(move || readers.close(writer));
        // Afterwards its thread continues until the process ends.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
    }

    /// Reads on the calling thread; `None` if the statement writes, or if the database is in memory.
    fn read<T: FromRow>(&self, sql: &str, values: &[&dyn ToSql]) -> Result<Option<Vec<T>>> {
        if self.parsed.location == Location::Memory {
            // Each connection to `:memory:` has a separate database, so there is only the writing one.
            return Ok(None);
        }
        let open = || open::reader(&self.parsed);
        let reader =
            self.readers.acquire(open).map_err(|error| self.error(error))?.ok_or_else(|| self.stopping_error())?;
        rows_if_readonly(&reader, sql, values).map_err(|failed| self.failed(failed))
    }

    async fn writer(&self) -> Result<Writer> {
        let writer = if let Ok(writer) = Arc::clone(&self.writer).try_lock_owned() {
            writer
        } else {
            let _waiting = Waiting::begin(&self.waiting);
            let waiting = Arc::clone(&self.writer).lock_owned();
            let waited = tokio::time::timeout(self.busy_timeout, waiting).await;
            waited.map_err(|_| DatabaseError::outage(&self.url, OutageCause::WriterBusy, None))?
        };
        OwnedMutexGuard::try_map(writer, Option::as_mut).map_err(|_| self.stopping_error())
    }

    /// The error of a statement after [`close`](Self::close).
    fn stopping_error(&self) -> DatabaseError {
        DatabaseError::outage(&self.url, OutageCause::ServiceStopping, None)
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

#[cfg(test)]
mod tests {
    use test_harness::scratch::Scratch;

    use super::super::tests::options;
    use super::super::{Database, Executor, Program};

    #[actix_web::test]
    async fn a_closed_database_is_one_file_though_others_have_handles() {
        let directory = Scratch::new("closed");
        let url = format!("sqlite://{}", directory.join("app.db").display());
        let program = Program { name: "test", version: "0" };
        let database = Database::open(&options(&url), [], program).await.expect("the database opens");
        let other = database.clone();
        other.execute("CREATE TABLE t (x INTEGER)", &[]).await.expect("a write");
        let _: Vec<(i64,)> = other.query("SELECT x FROM t", &[]).await.expect("a read");
        assert!(directory.join("app.db-wal").exists());

        database.close().await;
        assert_eq!(directory.names(), ["app.db", "app.db.lock"]);
        assert_eq!((other.pool().idle, other.pool().used), (0, 0));
        let read = other.query::<(i64,)>("SELECT x FROM t", &[]).await.expect_err("it is closed");
        let written = other.execute("INSERT INTO t VALUES (1)", &[]).await.expect_err("it is closed");
        for error in [read, written] {
            assert!(error.to_string().contains("is shutting down"), "{error}");
        }
    }
}
