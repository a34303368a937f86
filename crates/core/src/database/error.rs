//! Database errors, with one variant for each case that a caller handles differently.

use std::error::Error;

use cyanotype_telemetry::failure::chain;

use super::explanation::Explanation;

/// The return type of database functions.
pub(super) type Result<T, E = DatabaseError> = std::result::Result<T, E>;

/// A statement, a transaction or opening the database failed.
///
/// The `?` operator converts it into a [`Problem`](crate::Problem): 503 with `Retry-After` if the database is unavailable,
/// otherwise 500. An outage is reported at most once per cause in each `log.flood.window_s`.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The database cannot be reached or has no capacity at the moment; a retry may succeed.
    #[error("{0}")]
    Unavailable(#[from] Outage),
    /// A row with the same unique value already exists.
    #[error("unique constraint violated: {0}")]
    UniqueViolation(#[source] DriverError),
    /// The database rejected the statement.
    #[error("statement failed: {0}")]
    Statement(#[source] DriverError),
    /// A column is missing, or its value cannot be converted to the requested type.
    #[error("cannot read the column `{column}` as {expected}: {reason}")]
    Column {
        /// Name of the column, or its position in the row.
        column: String,
        /// The Rust type that was requested.
        expected: &'static str,
        /// Error of the conversion.
        reason: String,
    },
    /// `query_one` found no row.
    #[error("the statement returned no row")]
    NoRow,
    /// `BEGIN`, `COMMIT`, `ROLLBACK` or `SAVEPOINT` was sent as a statement.
    #[error("{0} is not allowed as a statement: use `Database::transaction`")]
    TransactionControl(String),
    /// An earlier statement of the transaction failed, so it can only be rolled back.
    #[error("an earlier statement of this transaction failed; it can only be rolled back")]
    TransactionFailed,
    /// The database could not be opened; the message states the cause and the remedy.
    #[error("{0}")]
    OpenFailed(Explanation),
    /// A newer version of the program has migrated the schema; the message names it and the remedy.
    #[error("{0}")]
    SchemaTooNew(String),
    /// A migration that has run is another one in this program, or missing; the message names it and the remedy.
    #[error("{0}")]
    MigrationChanged(String),
    /// Migrations are pending, and the settings do not let the start run them; the message names the command that does.
    #[error("{0}")]
    MigrationsPending(String),
}

impl DatabaseError {
    /// Whether the statement violated a unique constraint.
    #[must_use]
    pub const fn is_unique_violation(&self) -> bool {
        matches!(self, Self::UniqueViolation(_))
    }

    pub(crate) fn is_lost_connection(&self) -> bool {
        matches!(self, Self::Unavailable(outage) if outage.cause == OutageCause::ConnectionLost)
    }

    pub(super) fn outage(address: &str, cause: OutageCause, source: Option<DriverError>) -> Self {
        Self::Unavailable(Outage { address: address.to_owned(), cause, source: source.map(std::sync::Arc::new) })
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
    TimedOut,
    ConnectionLost,
    StartingOrStopping,
    ServiceStopping,
    ReadOnly,
    PoolExhausted,
    WriterBusy,
    Locked,
}

impl OutageCause {
    /// The cause, and a remedy for the operator.
    pub(super) fn explanation(self) -> Explanation {
        let (cause, remedy) = match self {
            Self::Refused => ("refuses connections", Some("check that the server is running, and check host and port")),
            Self::Unreachable => ("is unreachable", Some("check the host")),
            Self::Tls => ("is unreachable over TLS", Some("check sslmode and sslrootcert in the URL")),
            Self::Authentication => ("rejected the login", Some("check user and password")),
            Self::MissingDatabase => ("does not exist", Some("create it with CREATE DATABASE")),
            Self::TooManyConnections => (
                "has no free connection slots",
                Some("lower database.max_connections, or raise max_connections of the server"),
            ),
            Self::TimedOut => (
                "does not respond: connecting or a statement timed out (database.acquire_timeout_s, database.statement_timeout_s)",
                None,
            ),
            Self::ConnectionLost => ("closed the connection during a statement", None),
            Self::StartingOrStopping => ("is starting up or shutting down", None),
            Self::ServiceStopping => ("is no longer available to this process, which is shutting down", None),
            Self::ReadOnly => ("is read-only", Some("check that it is the primary, not a standby")),
            Self::PoolExhausted => (
                "had no free connection within the timeout: all are in use (database.max_connections, database.acquire_timeout_s)",
                None,
            ),
            Self::WriterBusy => (
                "had no free write connection within the timeout: another statement or transaction is using it (database.acquire_timeout_s)",
                None,
            ),
            Self::Locked => ("is locked by another process", Some("stop it, or wait until it has finished")),
        };
        Explanation::new(cause, remedy)
    }
}

/// An outage of the database. The message names the database and the cause; it is the same for all failures of one cause.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the database {address} {}", cause.explanation())]
pub struct Outage {
    address: String,
    pub(super) cause: OutageCause,
    source: Option<std::sync::Arc<DriverError>>,
}

/// An error of the database driver.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// SQLite.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL; the message is that of the server, if there is one.
    #[error("{}", postgres_message(.0))]
    Postgres(#[from] tokio_postgres::Error),
}

/// tokio-postgres displays only `db error`; the message of the server is in its source.
fn postgres_message(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(server), _) => server.message().to_owned(),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

/// The outage in the chain of an error, if there is one.
pub(crate) fn outage_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Outage> {
    chain(error).find_map(|link| match link.downcast_ref::<DatabaseError>() {
        Some(DatabaseError::Unavailable(outage)) => Some(outage),
        _ => link.downcast_ref::<Outage>(),
    })
}
