//! Logging overrides that all processes of a service share through its database.
//!
//! ```text
//! put, clear ─→ log_overrides, log_fleet (the version) ─→ NOTIFY, or a poll every log.override_poll_s ─→ Pipeline
//! ```
//!
//! One task per process polls. On PostgreSQL it has a dedicated connection outside the pool, so that an override can be set
//! while the pool is exhausted. It handles one request at a time, and applies a change before it replies.
//!
//! Expiry times are set by the database's clock. A process reads the remaining time and expires the override by its own
//! monotonic clock, so expiry does not depend on the database. Expired and cleared rows remain for some seconds; then a
//! process that polls deletes them.

mod applied;
mod dialect;
mod override_task;
mod processes;
mod table;
#[cfg(test)]
mod tests;
mod types;

use std::time::Duration;

use cyanotype_telemetry::Pipeline;
use tokio::sync::{mpsc, oneshot};

use crate::database::{Database, DatabaseError};
use override_task::{Command, OverrideTask};
pub(crate) use types::{FleetError, FleetStatus, NewFleetOverride, StoredOverride};

/// Capacity of the task's queue; further calls wait.
const QUEUE_CAPACITY: usize = 16;
/// Maximum time for the removal of this process's row at shutdown.
const STOP_TIMEOUT: Duration = Duration::from_millis(250);

/// A handle to the overrides that the processes of the service share.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    commands: mpsc::Sender<Command>,
    database: Database,
}

impl Fleet {
    /// Applies the current overrides, and starts to poll: every `poll_interval`, and after each notification.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub(crate) async fn start(
        database: &Database,
        pipeline: &'static Pipeline,
        poll_interval: Duration,
    ) -> Result<Self, DatabaseError> {
        let (commands, receiver) = mpsc::channel(QUEUE_CAPACITY);
        // Through the pool: startup must not depend on an additional connection.
        let task = OverrideTask::start(database, pipeline, poll_interval, receiver).await?;
        #[expect(clippy::disallowed_methods, reason = "a task of the process, which has no request")]
        actix_web::rt::spawn(task.run());
        Ok(Self { commands, database: database.clone() })
    }

    /// Sets an override for the fleet. When it returns, the row is committed, and this process has applied it.
    ///
    /// # Errors
    /// When the database is unavailable, or there are too many overrides.
    pub(crate) async fn put(&self, new: NewFleetOverride) -> Result<StoredOverride, FleetError> {
        self.call(|reply| Command::Put(new, reply)).await?
    }

    /// Clears an override in all processes; `false` when there is none with this id.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub(crate) async fn clear(&self, id: &str, by: &str) -> Result<bool, FleetError> {
        self.call(|reply| Command::Clear { id: id.to_owned(), by: by.to_owned(), reply }).await?
    }

    /// The applied version of each process. Within one poll interval of a first change, processes that have not polled yet are
    /// missing.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub(crate) async fn status(&self) -> Result<FleetStatus, FleetError> {
        self.call(Command::Status).await?
    }

    /// Stops polling, and removes this process's row. Active overrides remain until they expire.
    pub(crate) async fn stop(&self) {
        // If the database is unavailable, the row expires soon.
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.call(Command::Stop)).await;
    }

    async fn call<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, DatabaseError> {
        let (reply, received) = oneshot::channel();
        let stopped = || self.database.stopping_error();
        self.commands.send(command(reply)).await.map_err(|_| stopped())?;
        received.await.map_err(|_| stopped())
    }
}
