//! The database that all blueprints share, each with tables and migrations of its own: SQLite or PostgreSQL, as its URL says.
//!
//! One set of SQL serves both. What that asks of a blueprint:
//! - placeholders are `$1`, `$2` …; a list of them is written by [`placeholders`];
//! - columns are `TEXT` or `BIGINT`: what sqlx's `Any` driver reads from both. There is no `BOOLEAN` in SQLite for it;
//! - what is to sort as bytes, such as ids, is declared or compared with `COLLATE "binary"`. SQLite does so anyway;
//!   PostgreSQL sorts by the language of the database otherwise, and in Danish `aa` comes after `b`;
//! - a transaction begins with its write, which is where SQLite and PostgreSQL let others wait.

mod postgres;
mod sqlite;

use std::fmt;
use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::Migrator;

use crate::problem::Problem;
use crate::settings;

/// Whoever asks whether the service is ready wants an answer soon.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

const ALLOWED: &str = "allowed is sqlite://PATH, such as sqlite://data/cyanotype.db, or \
                       postgres://USER:PASSWORD@HOST:PORT/DATABASE";

/// A pool of connections; a handler asks for it as an argument.
#[derive(Debug, Clone)]
pub struct Database {
    pool: AnyPool,
    kind: Kind,
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

#[derive(Debug, Clone, Copy)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    fn of(url: &str) -> Option<Self> {
        match url.split_once(':')?.0 {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            _ => None,
        }
    }
}

impl Database {
    /// Opens the database and brings each blueprint's tables up to date. SQLite's is made when it is missing.
    ///
    /// # Errors
    /// When it cannot be reached, does not let this user in, is locked, cannot be written or made, is no database, or a
    /// migration fails.
    pub async fn open(
        settings: &settings::Database,
        migrations: impl IntoIterator<Item = (&'static str, Migrator)>,
    ) -> Result<Self, DatabaseError> {
        sqlx::any::install_default_drivers();
        let own = ("cyanotype", sqlx::migrate!());
        let migrations = std::iter::once(own).chain(migrations).map(|(blueprint, mut migrator)| {
            migrator.dangerous_set_table_name(format!("_migrations_{}", blueprint.replace('-', "_")));
            (blueprint, migrator)
        });
        let kind = Kind::of(&settings.url).ok_or_else(|| DatabaseError(not_a_url()))?;
        let pool = match kind {
            Kind::Sqlite => sqlite::open(settings, migrations.collect()).await?,
            Kind::Postgres => postgres::open(settings, migrations.collect()).await?,
        };
        Ok(Self { pool, kind })
    }

    #[must_use]
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// What kind of database it is, for the start record.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        ["sqlite", "postgres"][self.kind as usize]
    }

    /// Whether it answers, within two seconds.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        let answer = tokio::time::timeout(PING_TIMEOUT, sqlx::query("SELECT 1").execute(&self.pool)).await;
        answer.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|_| ())
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

/// Numbered placeholders for a list of values, beginning with `$first`.
///
/// ```
/// assert_eq!(cyanotype::placeholders(2, 3), "$2, $3, $4");
/// ```
#[must_use]
pub fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

fn pool_options(settings: &settings::Database) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(settings.max_connections)
        .min_connections(settings.min_connections)
        .acquire_timeout(settings.acquire_timeout())
        .idle_timeout(settings.idle_timeout())
}

/// Whether the URL names a database that can be opened. What is wrong is said without repeating it: it may hold a password.
pub(crate) fn check_url(url: &str) -> Result<(), String> {
    match Kind::of(url) {
        Some(Kind::Sqlite) if sqlite::options(url).is_ok() => Ok(()),
        Some(Kind::Postgres) => postgres::check_url(url),
        _ => Err(not_a_url()),
    }
}

fn not_a_url() -> String {
    format!("this is no URL of a database; {ALLOWED}")
}
