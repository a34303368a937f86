//! SQLite: a file in WAL mode, opened and migrated by one process at a time.

use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::any::AnyConnectOptions;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{AnyPool, ConnectOptions, Connection, SqliteConnection};

use super::{DatabaseError, pool_options};
use crate::settings;

/// What each connection says for itself; WAL is the file's. A statement waits 5 s for another process's write to end.
const OF_EACH_CONNECTION: &str = "PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000";

pub(super) async fn open(
    settings: &settings::Database,
    migrations: Vec<(&'static str, Migrator)>,
) -> Result<AnyPool, DatabaseError> {
    let url = &settings.url;
    let said = |error: &sqlx::Error| DatabaseError(format!("the database {url} {}", explained(error)));
    let options = options(url).map_err(|error| said(&error))?;
    // Several processes may start at once; setting WAL and migrating are for one at a time.
    let place = Some(options.get_filename()).filter(|_| !in_memory(url));
    let alone = place.map(lock).transpose();
    let _alone = alone.map_err(|error| DatabaseError(format!("the database {url} {error}")))?;
    // Sets WAL, and finds out at once what would fail at the first order otherwise: a database that can only be read.
    let mut first = SqliteConnection::connect_with(&options.clone().disable_statement_logging())
        .await
        .map_err(|error| said(&error))?;
    sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK").execute(&mut first).await.map_err(|error| said(&error))?;
    let mut pool = pool_options(settings);
    if in_memory(url) {
        // Each connection would have a memory of its own, and it goes with its connection.
        pool = pool.max_connections(1).idle_timeout(None).max_lifetime(None);
    }
    let pool = pool
        .after_connect(|connection, _| {
            Box::pin(async { sqlx::raw_sql(OF_EACH_CONNECTION).execute(connection).await.map(|_| ()) })
        })
        .connect_with(any_options(url, &options).map_err(|error| said(&error))?)
        .await
        .map_err(|error| said(&error))?;
    for (blueprint, migrator) in migrations {
        let done = migrator.run(&pool).await;
        done.map_err(|error| DatabaseError(format!("the database {url}: the migrations of {blueprint}: {error}")))?;
    }
    Ok(pool)
}

pub(super) fn options(url: &str) -> Result<SqliteConnectOptions, sqlx::Error> {
    Ok(SqliteConnectOptions::from_str(url)?
        .create_if_missing(!url.contains("mode="))
        .journal_mode(SqliteJournalMode::Wal))
}

fn in_memory(url: &str) -> bool {
    url.contains(":memory:") || url.contains("mode=memory")
}

/// The same place for the `Any` driver, which takes a URL and nothing else. It would read a path as a URL's, with a host
/// and dots to resolve; one that is all escapes it leaves alone.
fn any_options(url: &str, options: &SqliteConnectOptions) -> Result<AnyConnectOptions, sqlx::Error> {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    let made = if url.contains("mode=") { "" } else { "&mode=rwc" };
    let path = if url.contains(":memory:") {
        ":memory:".into()
    } else {
        options.get_filename().as_os_str().as_encoded_bytes().iter().fold(String::new(), |mut path, byte| {
            write!(path, "%{byte:02X}").expect("a string takes all that is written");
            path
        })
    };
    AnyConnectOptions::from_str(&format!("sqlite:{path}?{parameters}{made}"))
}

/// A lock on a file beside the database, until it is dropped.
fn lock(database: &Path) -> Result<File, String> {
    if let Some(directory) = database.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory)
            .map_err(|error| format!("cannot be made: its directory {}: {error}", directory.display()))?;
    }
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let file = File::create(&path).map_err(|error| format!("cannot be opened: {}: {error}", path.display()))?;
    file.lock().map_err(|error| format!("cannot be locked: {}: {error}", path.display()))?;
    Ok(file)
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
