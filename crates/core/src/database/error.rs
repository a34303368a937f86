//! What can go wrong with a database: one variant for each case that a caller treats differently.

use std::error::Error;

use cyanotype_telemetry::failure::chain;

/// What the database's functions return.
pub(super) type Result<T, E = DatabaseError> = std::result::Result<T, E>;

/// A statement, a transaction or the start of the service failed at the database.
///
/// It turns into a [`Problem`](crate::Problem) with `?`: a 503 with `Retry-After` when the database is unavailable, which is
/// reported once a window for each cause, else a 500.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The database cannot be reached, or takes no more work at the moment. The next attempt may succeed.
    #[error("{0}")]
    Unavailable(#[from] Outage),
    /// A row with such a unique value exists already.
    #[error("a unique constraint is violated: {0}")]
    UniqueViolation(#[source] DriverError),
    /// The database refused the statement.
    #[error("the database refused a statement: {0}")]
    Statement(#[source] DriverError),
    /// A column is missing or holds another type of value than the code reads.
    #[error("the column `{column}` cannot be read as {wanted}: {reason}")]
    Column {
        /// Its name, or its position in the row.
        column: String,
        /// The Rust type that was requested.
        wanted: &'static str,
        /// What the driver says.
        reason: String,
    },
    /// `query_one` found no row.
    #[error("the statement returned no row")]
    NoRow,
    /// `BEGIN`, `COMMIT`, `ROLLBACK` or `SAVEPOINT` was sent as a statement.
    #[error("a transaction is begun with `Database::transaction`, never by a statement: {0}")]
    ByStatement(String),
    /// A statement of the transaction failed before, so its writes cannot be committed.
    #[error("a statement of this transaction failed before; only a rollback is possible")]
    TransactionFailed,
    /// The service cannot start on this database; one sentence says why and what to do.
    #[error("{0}")]
    Start(String),
    /// A newer version of the program has changed the schema; one sentence says which, and what to do.
    #[error("{0}")]
    SchemaTooNew(String),
}

impl DatabaseError {
    /// Whether the statement failed because another row has such a unique value.
    #[must_use]
    pub const fn is_unique_violation(&self) -> bool {
        matches!(self, Self::UniqueViolation(_))
    }

    pub(crate) fn is_lost_connection(&self) -> bool {
        matches!(self, Self::Unavailable(outage) if outage.cause == OutageCause::ConnectionLost)
    }

    pub(super) fn outage(place: &str, cause: OutageCause, source: Option<DriverError>) -> Self {
        Self::Unavailable(Outage { place: place.to_owned(), cause, source: source.map(std::sync::Arc::new) })
    }
}

/// Why a database is unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutageCause {
    Refused,
    Unreachable,
    Tls,
    Authentication,
    MissingDatabase,
    TooManyConnections,
    NoAnswer,
    ConnectionLost,
    StartingOrStopping,
    ReadOnly,
    PoolExhausted,
    Locked,
}

impl OutageCause {
    /// The rest of a sentence that begins with the database, in words that an operator can act on.
    pub(super) const fn explanation(self) -> &'static str {
        match self {
            Self::Refused => "refuses connections: does the server run, and are host and port right?",
            Self::Unreachable => "cannot be reached: is its host right?",
            Self::Tls => "cannot be reached over TLS: see sslmode and sslrootcert in its URL",
            Self::Authentication => "does not let this user in: are user and password right?",
            Self::MissingDatabase => "does not exist: make it with CREATE DATABASE",
            Self::TooManyConnections => {
                "has no connection left: lower database.max_connections, or raise the server's max_connections"
            }
            Self::NoAnswer => {
                "does not answer: connecting or a statement timed out (database.acquire_timeout_s, database.statement_timeout_s)"
            }
            Self::ConnectionLost => "closed the connection while a statement ran",
            Self::StartingOrStopping => "is starting up or shutting down: wait until it is ready",
            Self::ReadOnly => "is read-only: is it a standby, and not the primary?",
            Self::PoolExhausted => {
                "had no free connection in time: all are in use (database.max_connections, database.acquire_timeout_s)"
            }
            Self::Locked => "is locked by another process: stop that one, or wait until it is done",
        }
    }
}

/// The database is unavailable; its text names the database and the cause, and is the same for each failure of that cause.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the database {place} {}", cause.explanation())]
pub struct Outage {
    place: String,
    pub(super) cause: OutageCause,
    source: Option<std::sync::Arc<DriverError>>,
}

/// What the driver says.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// SQLite's.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL's: the server's own words where there are any.
    #[error("{}", postgres_message(.0))]
    Postgres(#[from] tokio_postgres::Error),
}

/// tokio-postgres shows `db error` and leaves the server's words to the source.
fn postgres_message(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => said.message().to_owned(),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

/// The outage behind an error, wherever it stands in its chain.
pub(crate) fn outage_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Outage> {
    chain(error).find_map(|link| match link.downcast_ref::<DatabaseError>() {
        Some(DatabaseError::Unavailable(outage)) => Some(outage),
        _ => link.downcast_ref::<Outage>(),
    })
}
