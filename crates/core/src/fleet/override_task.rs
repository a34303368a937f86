//! The task that polls the fleet's overrides, applies them, and changes them on behalf of callers in this process.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cyanotype_telemetry::Pipeline;
use tokio::sync::{Notify, mpsc, oneshot};

use super::applied::AppliedOverrides;
use super::dialect::SqlDialect;
use super::processes::{self, ProcessRow};
use super::table::{self, CHANNEL, ENDED_ROW_LIFETIME};
use super::types::{FleetError, FleetStatus, NewFleetOverride, StoredOverride};
use crate::database::{Database, DatabaseError, Transaction};

type Reply<T> = oneshot::Sender<Result<T, FleetError>>;

/// A request of a caller to the task.
pub(super) enum Command {
    Put(NewFleetOverride, Reply<StoredOverride>),
    Clear { id: String, by: String, reply: Reply<bool> },
    Status(Reply<FleetStatus>),
    Stop(oneshot::Sender<()>),
}

pub(super) struct OverrideTask {
    /// On PostgreSQL, one dedicated connection.
    database: Database,
    notified: Arc<Notify>,
    dialect: SqlDialect,
    commands: mpsc::Receiver<Command>,
    poll_interval: Duration,
    applied: AppliedOverrides,
    row: ProcessRow,
    /// When the next poll is due, unless a notification arrives first.
    next_poll: Instant,
    /// Whether the last poll failed.
    is_unavailable: bool,
}

impl OverrideTask {
    /// Applies the current overrides of the fleet.
    pub(super) async fn start(
        database: &Database,
        pipeline: &'static Pipeline,
        poll_interval: Duration,
        commands: mpsc::Receiver<Command>,
    ) -> Result<Self, DatabaseError> {
        let dialect = SqlDialect::of(database);
        let mut applied = AppliedOverrides::new(pipeline);
        applied.apply(table::read(database, dialect).await?);
        let (dedicated, notified) = database.dedicated(CHANNEL)?;
        // Leaves time within the interval for the poll itself, and for a new connection.
        let poll_interval = poll_interval.mul_f64(0.8);
        let (row, next_poll) = (ProcessRow::new(), Instant::now());
        Ok(Self {
            database: dedicated,
            notified,
            dialect,
            commands,
            poll_interval,
            applied,
            row,
            next_poll,
            is_unavailable: false,
        })
    }

    pub(super) async fn run(mut self) {
        loop {
            let command = tokio::select! {
                command = self.commands.recv() => command,
                () = self.notified.notified() => { self.poll().await; continue }
                () = tokio::time::sleep_until(self.next_poll.into()) => { self.poll().await; continue }
            };
            match command {
                Some(Command::Put(new, reply)) => self.reply(reply, async |it| it.put(new).await).await,
                Some(Command::Clear { id, by, reply }) => {
                    self.reply(reply, async |it| it.clear(id, by).await).await;
                }
                Some(Command::Status(reply)) => self.reply(reply, async |it| it.status().await).await,
                Some(Command::Stop(reply)) => {
                    // If that fails, the row expires soon.
                    let _ = self.row.remove(&self.database).await;
                    let _ = reply.send(());
                    return;
                }
                None => return,
            }
        }
    }

    /// Runs a caller's request, and replies before this process's row is written.
    async fn reply<T>(&mut self, reply: Reply<T>, work: impl AsyncFnOnce(&mut Self) -> Result<T, FleetError>) {
        let result = work(self).await;
        self.row.mark_used();
        let succeeded = result.is_ok();
        // The caller may be gone; the change remains.
        let _ = reply.send(result);
        if succeeded {
            self.poll().await;
        }
    }

    /// Polls, and updates this process's row. An outage is logged once.
    async fn poll(&mut self) {
        let now = Instant::now();
        match self.poll_once().await {
            Ok(row_due) => {
                if std::mem::take(&mut self.is_unavailable) {
                    tracing::info!("polling of fleet log overrides resumed");
                }
                self.next_poll = row_due.into_iter().fold(now + self.poll_interval, Instant::min);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_unavailable, true) {
                    let error = &error as &dyn Error;
                    tracing::warn!(error, "cannot poll fleet log overrides; active overrides remain until they expire");
                }
                self.next_poll = now + self.poll_interval;
            }
        }
    }

    /// Reads and applies changes. Returns the time at which this process's row is due next.
    async fn poll_once(&mut self) -> Result<Option<Instant>, DatabaseError> {
        let version = table::version(&self.database).await?;
        if self.applied.version() != Some(version) {
            let shared = table::read(&self.database, self.dialect).await?;
            self.applied.apply(shared);
            self.row.mark_used();
        }
        let version = self.applied.version().unwrap_or_default();
        let (due, is_written) = self.row.update(&self.database, self.dialect, version, self.applied.has_rows()).await?;
        if is_written {
            table::clean(&self.database, self.dialect).await?;
            self.applied.remove_ended(ENDED_ROW_LIFETIME);
        }
        Ok(due)
    }

    async fn put(&mut self, new: NewFleetOverride) -> Result<StoredOverride, FleetError> {
        let (dialect, id) = (self.dialect, new.id.clone());
        let put = async move |on: &mut Transaction| table::put(on, dialect, &new).await;
        let changed = self.change(put).await?.ok_or(FleetError::TooMany)?;
        let fleet_version = changed.shared.version;
        let policy_override = changed.shared.overrides.iter().find(|it| it.id == id).cloned();
        self.applied.apply(changed.shared);
        let policy_override = policy_override.ok_or(FleetError::Unavailable(DatabaseError::NoRow))?;
        Ok(StoredOverride { policy_override, created: changed.created, fleet_version })
    }

    async fn clear(&mut self, id: String, by: String) -> Result<bool, FleetError> {
        let dialect = self.dialect;
        let clear = async move |on: &mut Transaction| table::clear(on, dialect, &id, &by).await;
        let cleared = self.change(clear).await?;
        let is_cleared = cleared.is_some();
        cleared.into_iter().for_each(|shared| self.applied.apply(shared));
        Ok(is_cleared)
    }

    async fn status(&mut self) -> Result<FleetStatus, FleetError> {
        self.row.mark_used();
        self.poll_once().await?;
        let version = self.applied.version().unwrap_or_default();
        Ok(processes::read(&self.database, self.dialect, version).await?)
    }

    /// Runs work in a transaction, with one retry if its connection was closed. It is abandoned only when the service stops.
    async fn change<T: 'static>(
        &self,
        work: impl AsyncFnOnce(&mut Transaction) -> Result<T, DatabaseError> + Clone + 'static,
    ) -> Result<T, DatabaseError> {
        let report = |error| log_abandoned(&error);
        match self.database.run_transaction(work.clone(), report).await {
            Err(error) if error.is_lost_connection() => self.database.run_transaction(work, report).await,
            result => result,
        }
    }
}

fn log_abandoned(error: &DatabaseError) {
    tracing::warn!(error = error as &dyn Error, "a change of the fleet log overrides failed");
}
