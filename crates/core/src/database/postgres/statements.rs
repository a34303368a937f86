//! Statements on a connection to PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use tokio_postgres::types;

use super::errors;
use crate::database::error::{DatabaseError, OutageCause, Result};
use crate::database::row::{FromRow, Row};
use crate::database::value::ToSql;

/// Sends statements, with a timeout.
#[derive(Clone)]
pub(super) struct Statements {
    pub address: Arc<str>,
    pub timeout: Option<Duration>,
}

impl Statements {
    /// Runs `send` and awaits its result. Closes and removes a connection that must not be reused.
    pub(super) async fn send<R>(
        &self,
        client: &mut Option<Object>,
        send: impl AsyncFnOnce(&Object) -> std::result::Result<R, tokio_postgres::Error>,
    ) -> Result<R> {
        let lost = || DatabaseError::outage(&self.address, OutageCause::ConnectionLost, None);
        let (sent, is_usable) = self.run(client.as_ref().ok_or_else(lost)?, send).await;
        if !is_usable {
            drop(client.take().map(Object::take));
        }
        sent
    }

    /// Runs `send`; returns its result, and whether the connection can be reused.
    pub(super) async fn run<R>(
        &self,
        client: &Object,
        send: impl AsyncFnOnce(&Object) -> std::result::Result<R, tokio_postgres::Error>,
    ) -> (Result<R>, bool) {
        let sending = send(client);
        let sent = match self.timeout {
            Some(timeout) => tokio::time::timeout(timeout, sending).await,
            None => Ok(sending.await),
        };
        match sent {
            Ok(Ok(result)) => (Ok(result), true),
            Ok(Err(error)) => {
                let is_stale = errors::is_stale_plan(&error);
                let error = errors::from_statement_error(&self.address, error);
                // The server announces that it will close the connection before it does so.
                let is_usable = !is_stale && !error.is_lost_connection();
                (Err(error), is_usable)
            }
            // The server may still run the statement, and its response would have no reader.
            Err(_) => (Err(DatabaseError::outage(&self.address, OutageCause::TimedOut, None)), false),
        }
    }
}

pub(super) fn parameters<'a>(values: &[&'a dyn ToSql]) -> Vec<&'a (dyn types::ToSql + Sync)> {
    values.iter().map(|value| value.to_postgres()).collect()
}

pub(super) fn read_rows<T: FromRow>(rows: &[tokio_postgres::Row]) -> Result<Vec<T>> {
    rows.iter().map(|row| T::from_row(&Row::postgres(row))).collect()
}
