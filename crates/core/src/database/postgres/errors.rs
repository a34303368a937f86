//! Classifies errors of the driver.

use std::io;

use cyanotype_telemetry::failure::chain;
use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::SqlState;

use super::super::error::{DatabaseError, DriverError, OutageCause};

/// The error of a failed connection attempt.
pub(super) fn from_connect_error(address: &str, error: tokio_postgres::Error) -> DatabaseError {
    match connecting_cause(&error) {
        Some(cause) => DatabaseError::outage(address, cause, Some(error.into())),
        None => DatabaseError::Statement(DriverError::Postgres(error)),
    }
}

pub(super) fn from_pool_error(address: &str, error: PoolError) -> DatabaseError {
    let cause = match error {
        PoolError::Backend(error) => return from_connect_error(address, error),
        PoolError::Timeout(TimeoutType::Wait) => OutageCause::PoolExhausted,
        PoolError::Timeout(_) => OutageCause::TimedOut,
        PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            OutageCause::ServiceStopping
        }
    };
    DatabaseError::outage(address, cause, None)
}

/// The error of a statement on an open connection.
pub(super) fn from_statement_error(address: &str, error: tokio_postgres::Error) -> DatabaseError {
    let lost = error.is_closed() || io_error(&error).is_some();
    let cause = match error.code() {
        _ if lost => Some(OutageCause::ConnectionLost),
        Some(code) => state_cause(code),
        None => None,
    };
    match (cause, error.code()) {
        (Some(cause), _) => DatabaseError::outage(address, cause, Some(error.into())),
        (None, Some(&SqlState::UNIQUE_VIOLATION)) => DatabaseError::UniqueViolation(error.into()),
        (None, _) => DatabaseError::Statement(error.into()),
    }
}

/// Whether a migration by another process invalidated a cached plan: the connection must not be reused.
pub(super) fn is_stale_plan(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED)
        && error.as_db_error().is_some_and(|error| error.message().contains("cached plan"))
}

pub(super) fn connecting_cause(error: &tokio_postgres::Error) -> Option<OutageCause> {
    if let Some(code) = error.code() {
        return state_cause(code);
    }
    // The driver does not expose the kinds of its errors, but documents their messages.
    let text = error.to_string();
    if text.starts_with("error performing TLS handshake") {
        return Some(OutageCause::Tls);
    }
    if text.starts_with("authentication error") || text.starts_with("invalid configuration") {
        return Some(OutageCause::Authentication);
    }
    match io_error(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => Some(OutageCause::Refused),
        Some(io::ErrorKind::TimedOut) => Some(OutageCause::TimedOut),
        Some(_) => Some(OutageCause::Unreachable),
        None if error.is_closed() => Some(OutageCause::ConnectionLost),
        None => Some(OutageCause::Unreachable),
    }
}

fn state_cause(code: &SqlState) -> Option<OutageCause> {
    Some(match *code {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => OutageCause::Authentication,
        SqlState::INVALID_CATALOG_NAME => OutageCause::MissingDatabase,
        SqlState::TOO_MANY_CONNECTIONS => OutageCause::TooManyConnections,
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN => OutageCause::ConnectionLost,
        SqlState::CANNOT_CONNECT_NOW => OutageCause::StartingOrStopping,
        SqlState::READ_ONLY_SQL_TRANSACTION => OutageCause::ReadOnly,
        _ => return None,
    })
}

fn io_error(error: &tokio_postgres::Error) -> Option<&io::Error> {
    chain(error).find_map(|error| error.downcast_ref::<io::Error>())
}
