//! The database that all blueprints share, each with tables and migrations of its own: SQLite or PostgreSQL, as its URL says.
//!
//! Statements are sent through [`Executor`], by a [`Database`] each by itself or in a [`Transaction`]. One set of SQL serves
//! both databases. What that asks of a blueprint:
//! - parameters are `$1`, `$2` …; a list of them is written by [`placeholders`];
//! - columns have the types of [`value`], which are read into `Uuid`, `jiff::Timestamp`, `bool`, `i64` …;
//! - migrations alone are written twice, since the databases declare columns differently;
//! - a transaction begins with its write, which is where SQLite and PostgreSQL let others wait.

mod error;
mod executor;
mod migrations;
mod open_transactions;
mod postgres;
mod row;
mod sqlite;
mod sweeper;
mod transaction;
mod value;

use std::fmt;
use std::future::{Ready, ready};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::problem::Problem;
use crate::settings;

pub(crate) use error::outage_of;
pub use error::{DatabaseError, DriverError, Outage};
use executor::check;
pub use executor::{Executor, placeholders};
pub use migrations::Migrations;
pub(crate) use migrations::Program;
use open_transactions::OpenTransactions;
use postgres::Postgres;
pub use row::{FromRow, Row};
use sqlite::Sqlite;
pub use sweeper::Expiring;
pub(crate) use sweeper::Sweeper;
pub use transaction::Transaction;
pub use value::{Column, Value};

type Result<T, E = DatabaseError> = std::result::Result<T, E>;

/// A readiness check must return soon.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

const ALLOWED: &str = "allowed is sqlite://PATH, such as sqlite://data/cyanotype.db, or \
                       postgres://USER:PASSWORD@HOST:PORT/DATABASE";

/// The connections to the database; a handler asks for it as an argument.
#[derive(Clone)]
pub struct Database {
    connections: Arc<Connections>,
    open_transactions: OpenTransactions,
}

enum Connections {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

#[derive(Debug, Clone, Copy)]
enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    fn of(url: &str) -> Option<Self> {
        match url.split_once(':')?.0 {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            _ => None,
        }
    }
}

impl Database {
    /// Opens the database and brings each blueprint's tables up to date. SQLite's is created when it is missing.
    ///
    /// # Errors
    /// When it cannot be reached, does not let this user in, is locked, cannot be written or created, is no database, a
    /// newer version has changed its schema, or a migration fails.
    pub(crate) async fn open(
        settings: &settings::Database,
        migrations: impl IntoIterator<Item = (&'static str, Migrations)>,
        program: Program,
    ) -> Result<Self> {
        let own = ("cyanotype", migrations::core::migrations());
        let migrations = std::iter::once(own).chain(migrations).map(|(name, it)| (name.to_owned(), it)).collect();
        let engine = Engine::of(&settings.url).ok_or_else(|| DatabaseError::Start(not_a_url()))?;
        let connections = match engine {
            Engine::Sqlite => Connections::Sqlite(Sqlite::open(settings, migrations, program).await?),
            Engine::Postgres => Connections::Postgres(Postgres::open(settings, migrations, program).await?),
        };
        Ok(Self { connections: Arc::new(connections), open_transactions: OpenTransactions::default() })
    }

    /// What kind of database it is, for the start record: `sqlite` or `postgres`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &*self.connections {
            Connections::Sqlite(_) => "sqlite",
            Connections::Postgres(_) => "postgres",
        }
    }

    /// SQLite's file; `None` for one in memory and for PostgreSQL.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match &*self.connections {
            Connections::Sqlite(sqlite) => sqlite.file(),
            Connections::Postgres(_) => None,
        }
    }

    /// Whether it answers, within two seconds.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<()> {
        let answer = async {
            match &*self.connections {
                Connections::Sqlite(sqlite) => sqlite.ping().await,
                Connections::Postgres(postgres) => postgres.ping().await,
            }
        };
        tokio::time::timeout(PING_TIMEOUT, answer).await.unwrap_or_else(|_| Err(self.silent()))
    }

    /// Waits until no transaction is open, at most until the deadline.
    pub(crate) async fn wait_for_transactions(&self, deadline: Instant) {
        self.open_transactions.wait(deadline).await;
    }

    /// How many transactions the stop has cut off, or is about to.
    pub(crate) fn unfinished_transactions(&self) -> u64 {
        self.open_transactions.unfinished()
    }

    /// Makes the calling thread one that serves requests: it has connections of its own.
    pub(crate) fn begin_worker(&self) {
        if let Connections::Postgres(_) = &*self.connections {
            postgres::begin_worker();
        }
    }

    pub(crate) fn close(&self) {
        match &*self.connections {
            // Each write is in the file, and the last connection that closes folds the log into it.
            Connections::Sqlite(_) => {}
            Connections::Postgres(postgres) => postgres.close(),
        }
    }

    fn place(&self) -> &str {
        match &*self.connections {
            Connections::Sqlite(sqlite) => sqlite.url(),
            Connections::Postgres(postgres) => postgres.place(),
        }
    }

    fn silent(&self) -> DatabaseError {
        DatabaseError::outage(self.place(), error::OutageCause::NoAnswer, None)
    }

    fn stopping(&self) -> DatabaseError {
        DatabaseError::outage(self.place(), error::OutageCause::StartingOrStopping, None)
    }
}

impl Executor for &Database {
    async fn query<T: FromRow>(self, sql: &str, values: &[&dyn Value]) -> Result<Vec<T>> {
        check(sql)?;
        match &*self.connections {
            Connections::Sqlite(sqlite) => sqlite.query(sql, values).await,
            Connections::Postgres(postgres) => postgres.query(sql, values).await,
        }
    }

    async fn execute(self, sql: &str, values: &[&dyn Value]) -> Result<u64> {
        check(sql)?;
        match &*self.connections {
            Connections::Sqlite(sqlite) => sqlite.execute(sql, values).await,
            Connections::Postgres(postgres) => postgres.execute(sql, values).await,
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

impl FromRequest for Database {
    type Error = Problem;
    type Future = Ready<std::result::Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let database = request.app_data::<Database>().cloned();
        ready(database.ok_or_else(|| Problem::internal("this service was started without a database")))
    }
}

/// How many descriptors the connections take that do not belong to a worker.
pub(crate) fn most_descriptors(settings: &settings::Database) -> u64 {
    match Engine::of(&settings.url) {
        Some(Engine::Postgres) => settings.max_connections.into(),
        // The connection that writes has the file, its log, its index and the lock.
        _ => 4,
    }
}

/// Whether the URL names a database that can be opened. What is wrong is said without repeating it: it may hold a password.
pub(crate) fn check_url(url: &str) -> std::result::Result<(), String> {
    match Engine::of(url) {
        Some(Engine::Sqlite) => sqlite::check_url(url),
        Some(Engine::Postgres) => postgres::check_url(url),
        None => Err(not_a_url()),
    }
}

fn not_a_url() -> String {
    format!("this is no URL of a database; {ALLOWED}")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::settings::Loader;

    /// An empty database in memory, with the core's own tables.
    pub(crate) async fn in_memory() -> Database {
        let settings = Loader::new("/nonexistent").variables([("DATABASE_URL", "sqlite::memory:")]).load();
        let settings = settings.expect("the settings are valid").database;
        Database::open(&settings, [], Program { name: "test", version: "0" }).await.expect("it opens")
    }
}
