//! The handle to the database.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::engine::{Engine, not_a_url};
use super::error::{self, DatabaseError, Result};
use super::executor::{Executor, reject_transaction_control};
use super::migrations::{self, Migrations, Program};
use super::open_transactions::OpenTransactions;
use super::options::Options;
use super::pool::PoolStatus;
use super::postgres::{self, Postgres};
use super::row::FromRow;
use super::sqlite::Sqlite;
use super::value::ToSql;

/// Maximum duration of a readiness check.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// A handle to the database and its connections, cheap to clone. Handlers take it as an argument.
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
    /// Opens the database and runs pending migrations, unless the options do not allow that. A missing SQLite database is
    /// created.
    ///
    /// # Errors
    /// If the database is unreachable, rejects the login, is locked, read-only or not a database, if its schema is too new, or
    /// if a migration fails or is pending.
    pub(crate) async fn open(
        options: &Options,
        migrations: impl IntoIterator<Item = (&'static str, Migrations)>,
        program: Program,
    ) -> Result<Self> {
        let migrations = migrations::with_framework(migrations);
        let engine = Engine::of(&options.url).ok_or_else(|| DatabaseError::OpenFailed(not_a_url().into()))?;
        let connections = match engine {
            Engine::Sqlite => Connections::Sqlite(Sqlite::open(options, migrations, program).await?),
            Engine::Postgres => Connections::Postgres(Postgres::open(options, migrations, program).await?),
        };
        Ok(Self { connections: Arc::new(connections), open_transactions: OpenTransactions::default() })
    }

    /// The engine, as in the start record: `sqlite` or `postgres`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.engine() {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
        }
    }

    pub(crate) fn engine(&self) -> Engine {
        match &*self.connections {
            Connections::Sqlite(_) => Engine::Sqlite,
            Connections::Postgres(_) => Engine::Postgres,
        }
    }

    /// The file of a SQLite database; `None` in memory and for PostgreSQL.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match &*self.connections {
            Connections::Sqlite(sqlite) => sqlite.file(),
            Connections::Postgres(_) => None,
        }
    }

    /// Checks that the database responds within two seconds.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ping(&self) -> Result<()> {
        let ping = async {
            match &*self.connections {
                Connections::Sqlite(sqlite) => sqlite.ping().await,
                Connections::Postgres(postgres) => postgres.ping().await,
            }
        };
        tokio::time::timeout(PING_TIMEOUT, ping).await.unwrap_or_else(|_| Err(self.timed_out()))
    }

    /// The state of the connections.
    pub(crate) fn pool(&self) -> PoolStatus {
        match &*self.connections {
            Connections::Sqlite(sqlite) => sqlite.pool(),
            Connections::Postgres(postgres) => postgres.pool(),
        }
    }

    /// Waits until no transaction is open, or until the deadline.
    pub(crate) async fn wait_for_transactions(&self, deadline: Instant) {
        self.open_transactions.wait(deadline).await;
    }

    /// Number of transactions that are open or were aborted.
    pub(crate) fn unfinished_transactions(&self) -> u64 {
        self.open_transactions.unfinished()
    }

    /// Marks the calling thread as a worker, which has its own connections.
    pub(crate) fn mark_worker_thread(&self) {
        if let Connections::Postgres(_) = &*self.connections {
            postgres::mark_worker_thread();
        }
    }

    /// A handle for one task. On PostgreSQL it has a dedicated connection outside the pool, opened on demand, that listens on
    /// `channel`; the returned `Notify` is notified for each notification.
    ///
    /// # Errors
    /// If the connection cannot be configured.
    pub(crate) fn dedicated(&self, channel: &'static str) -> Result<(Self, Arc<Notify>)> {
        let notified = Arc::new(Notify::new());
        let dedicated = match &*self.connections {
            Connections::Sqlite(_) => self.clone(),
            Connections::Postgres(postgres) => {
                let connections = Connections::Postgres(postgres.dedicated_listener(channel, Arc::clone(&notified))?);
                Self { connections: Arc::new(connections), open_transactions: OpenTransactions::default() }
            }
        };
        Ok((dedicated, notified))
    }

    /// Closes the connections. A disk that stalls does not delay the caller for long.
    pub(crate) async fn close(&self) {
        match &*self.connections {
            Connections::Sqlite(sqlite) => sqlite.close().await,
            Connections::Postgres(postgres) => postgres.close(),
        }
    }

    fn address(&self) -> &str {
        match &*self.connections {
            Connections::Sqlite(sqlite) => sqlite.url(),
            Connections::Postgres(postgres) => postgres.address(),
        }
    }

    pub(super) fn timed_out(&self) -> DatabaseError {
        DatabaseError::outage(self.address(), error::OutageCause::TimedOut, None)
    }

    pub(crate) fn stopping_error(&self) -> DatabaseError {
        DatabaseError::outage(self.address(), error::OutageCause::ServiceStopping, None)
    }
}

impl Executor for &Database {
    async fn query<T: FromRow>(self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<T>> {
        reject_transaction_control(sql)?;
        match &*self.connections {
            Connections::Sqlite(sqlite) => sqlite.query(sql, values).await,
            Connections::Postgres(postgres) => postgres.query(sql, values).await,
        }
    }

    async fn execute(self, sql: &str, values: &[&dyn ToSql]) -> Result<u64> {
        reject_transaction_control(sql)?;
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
