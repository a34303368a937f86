//! Overrides of what is recorded that all processes of a service share, by way of its database.
//!
//! ```text
//! put, clear ─→ log_overrides, log_fleet (the version) ─→ NOTIFY, or a look each log.override_poll_s ─→ Pipeline
//! ```
//!
//! One task a process follows: on PostgreSQL by a connection of its own, beside the pool, so that an override can be set when
//! the pool is exhausted. It does one thing after the other; so what is put is applied before it is answered.
//!
//! Expiry times are set by the database's clock. A process reads the remaining time and expires the override by its own
//! monotonic clock, so expiry does not depend on the database. Expired and cleared rows remain for some seconds; then a
//! process that polls deletes them.

mod applied;
mod dialect;
mod follower;
mod processes;
mod table;
#[cfg(test)]
mod tests;
mod types;

use std::time::Duration;

use cyanotype_telemetry::Pipeline;
use tokio::sync::{mpsc, oneshot};

use crate::database::{Database, DatabaseError};
use follower::{Command, Follower};
pub(crate) use types::{FleetError, FleetStatus, NewFleetOverride, StoredOverride};

/// So many calls wait for the task; more wait for their place.
const QUEUE: usize = 16;
/// How long the stop waits for this process's row to be removed.
const STOP_TIMEOUT: Duration = Duration::from_millis(250);

/// The overrides that the processes of the service share; clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    commands: mpsc::Sender<Command>,
    database: Database,
}

impl Fleet {
    /// Applies what the fleet shares now, and follows it from then on: with a look each `poll`, and at each notification.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub(crate) async fn start(
        database: &Database,
        pipeline: &'static Pipeline,
        poll: Duration,
    ) -> Result<Self, DatabaseError> {
        let (commands, receiver) = mpsc::channel(QUEUE);
        // By the pool: whether the service starts does not depend on one more connection.
        let follower = Follower::start(database, pipeline, poll, receiver).await?;
        #[expect(clippy::disallowed_methods, reason = "a task of the process, which has no request")]
        actix_web::rt::spawn(follower.run());
        Ok(Self { commands, database: database.clone() })
    }

    /// Shares an override. Once answered its row is committed, and this process has applied it.
    ///
    /// # Errors
    /// When the database is unavailable, or there are too many.
    pub(crate) async fn put(&self, new: NewFleetOverride) -> Result<StoredOverride, FleetError> {
        self.call(|answer| Command::Put(new, answer)).await?
    }

    /// Ends an override for all; `false` when there is none of this id.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub(crate) async fn clear(&self, id: &str, by: &str) -> Result<bool, FleetError> {
        self.call(|answer| Command::Clear { id: id.to_owned(), by: by.to_owned(), answer }).await?
    }

    /// How far each process is. Called within one `poll` of a change that was the first one for a while, others may be missing:
    /// they have not looked yet.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub(crate) async fn status(&self) -> Result<FleetStatus, FleetError> {
        self.call(Command::Status).await?
    }

    /// Follows no more, and removes this process's row. What is in force stays so until it expires.
    pub(crate) async fn stop(&self) {
        // Where the database is away, the row is no longer counted soon.
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.call(Command::Stop)).await;
    }

    async fn call<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, DatabaseError> {
        let (answer, answered) = oneshot::channel();
        let stopped = || self.database.stopping();
        self.commands.send(command(answer)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())
    }
}
