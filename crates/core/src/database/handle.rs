//! The handle on the database that everything else is given.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::engine::{Engine, not_a_url};
use super::error::{self, DatabaseError, Result};
use super::executor::{Executor, check};
use super::migrations::{self, Migrations, Program};
use super::open_transactions::OpenTransactions;
use super::options::Options;
use super::postgres::{self, Postgres};
use super::row::FromRow;
use super::sqlite::Sqlite;
use super::value::Value;

/// A readiness check must return soon.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// The connections to the database; a handler asks for it as an argument.
#[derive(Clone)]
pub struct Database {
    pub(super) connections: Arc<Connections>,
    pub(super) open_transactions: OpenTransactions,
}

pub(super) enum Connections {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Database {
    /// Opens the database and brings each blueprint's tables up to date. SQLite's is created when it is missing.
    ///
    /// # Errors
    /// When it cannot be reached, does not let this user in, is locked, cannot be written or created, is no database, a
    /// newer version has changed its schema, or a migration fails.
    pub(crate) async fn open(
        options: &Options,
        migrations: impl IntoIterator<Item = (&'static str, Migrations)>,
        program: Program,
    ) -> Result<Self> {
        let own = ("cyanotype", migrations::core::migrations());
        let migrations = std::iter::once(own).chain(migrations).map(|(name, it)| (name.to_owned(), it)).collect();
        let engine = Engine::of(&options.url).ok_or_else(|| DatabaseError::Start(not_a_url()))?;
        let connections = match engine {
            Engine::Sqlite => Connections::Sqlite(Sqlite::open(options, migrations, program).await?),
            Engine::Postgres => Connections::Postgres(Postgres::open(options, migrations, program).await?),
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

    /// The same database for one task: on PostgreSQL by a connection of its own, outside of the pool, which is made when it is
    /// needed and listens on this channel; the second one is called at each notification.
    ///
    /// # Errors
    /// When the connection cannot be set up.
    pub(crate) fn apart(&self, channel: &'static str) -> Result<(Self, Arc<Notify>)> {
        let notified = Arc::new(Notify::new());
        let apart = match &*self.connections {
            Connections::Sqlite(_) => self.clone(),
            Connections::Postgres(postgres) => {
                let connections = Connections::Postgres(postgres.listening(channel, Arc::clone(&notified))?);
                Self { connections: Arc::new(connections), open_transactions: OpenTransactions::default() }
            }
        };
        Ok((apart, notified))
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

    pub(super) fn silent(&self) -> DatabaseError {
        DatabaseError::outage(self.place(), error::OutageCause::NoAnswer, None)
    }

    pub(crate) fn stopping(&self) -> DatabaseError {
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
