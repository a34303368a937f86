//! The database that all blueprints share, each with tables and migrations of its own.

use std::fmt;
use std::fs::{self, File};
use std::future::{Ready, ready};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use crate::problem::Problem;
use crate::settings;

/// How long a statement waits for another process's write to end.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A pool of connections; a handler asks for it as an argument.
#[derive(Debug, Clone)]
pub struct Database {
    pool: SqlitePool,
}

/// The database cannot be used: one sentence that says why.
#[derive(Debug)]
pub struct DatabaseError(String);

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DatabaseError {}

impl Database {
    /// Opens the database, makes it when it is missing, and brings each blueprint's tables up to date.
    ///
    /// # Errors
    /// When it is locked, cannot be written or made, is no database, or a migration fails.
    pub async fn open(
        settings: &settings::Database,
        migrations: impl IntoIterator<Item = (&'static str, Migrator)>,
    ) -> Result<Self, DatabaseError> {
        let url = &settings.url;
        let said = |error: &sqlx::Error| DatabaseError(format!("the database {url} {}", explained(error)));
        let options = options(url).map_err(|error| said(&error))?;
        // Several processes may start at once; setting WAL and migrating are for one at a time.
        let _alone =
            lock(options.get_filename()).map_err(|error| DatabaseError(format!("the database {url} {error}")))?;
        // Sets WAL, and finds out at once what would fail at the first order otherwise: a database that can only be read.
        let mut first = SqliteConnection::connect_with(&options.clone().disable_statement_logging())
            .await
            .map_err(|error| said(&error))?;
        sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK").execute(&mut first).await.map_err(|error| said(&error))?;
        let in_memory = url.contains(":memory:");
        let pool = SqlitePoolOptions::new()
            .max_connections(if in_memory { 1 } else { 8 })
            .acquire_timeout(BUSY_TIMEOUT + Duration::from_secs(1))
            .connect_with(options)
            .await
            .map_err(|error| said(&error))?;
        for (blueprint, mut migrator) in migrations {
            migrator.dangerous_set_table_name(format!("_migrations_{}", blueprint.replace('-', "_")));
            let done = migrator.run(&pool).await;
            done.map_err(|error| DatabaseError(format!("the database {url}: the migrations of {blueprint}: {error}")))?;
        }
        Ok(Self { pool })
    }

    #[must_use]
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// What kind of database it is, for the start record.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        "sqlite"
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map(|_| ())
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

impl FromRequest for Database {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let database = request.app_data::<Database>().cloned();
        ready(database.ok_or_else(|| Problem::internal("this service was started without a database")))
    }
}

fn options(url: &str) -> Result<SqliteConnectOptions, sqlx::Error> {
    Ok(SqliteConnectOptions::from_str(url)?
        .create_if_missing(!url.contains("mode="))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT))
}

/// A lock on a file beside the database, until it is dropped. In memory there is nothing to lock.
fn lock(database: &Path) -> Result<Option<File>, String> {
    if database.as_os_str().is_empty() || database.to_string_lossy().contains(":memory:") {
        return Ok(None);
    }
    if let Some(directory) = database.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory)
            .map_err(|error| format!("cannot be made: its directory {}: {error}", directory.display()))?;
    }
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let file = File::create(&path).map_err(|error| format!("cannot be opened: {}: {error}", path.display()))?;
    file.lock().map_err(|error| format!("cannot be locked: {}: {error}", path.display()))?;
    Ok(Some(file))
}

/// What is wrong, in words an operator can act on.
fn explained(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    // The low byte is SQLite's primary result code.
    match code.map(|code| code & 0xff) {
        Some(5 | 6) => "is locked by another process: stop that one, or wait until it is done".into(),
        Some(8) => "is read-only: it and its directory must be writable".into(),
        Some(14) => "cannot be opened: is its path right, and may this user write there?".into(),
        Some(26) => "is not a database: another file is in its place".into(),
        _ => format!("cannot be used: {error}"),
    }
}

/// Whether the URL names a database that this build can open.
pub(crate) fn check_url(url: &str) -> Result<(), String> {
    let allowed = "allowed is sqlite://PATH, such as sqlite://data/cyanotype.db";
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Err(format!("this build has no PostgreSQL in it; {allowed}"));
    }
    if !url.starts_with("sqlite:") || SqliteConnectOptions::from_str(url).is_err() {
        return Err(format!("this is no URL of a database; {allowed}"));
    }
    Ok(())
}
