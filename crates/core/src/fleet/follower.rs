//! The task that follows: it looks at what the fleet shares, applies it, and changes it for this process's callers.

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

type Answer<T> = oneshot::Sender<Result<T, FleetError>>;

/// What callers request of the task.
pub(super) enum Command {
    Put(NewFleetOverride, Answer<StoredOverride>),
    Clear { id: String, by: String, answer: Answer<bool> },
    Status(Answer<FleetStatus>),
    Stop(oneshot::Sender<()>),
}

pub(super) struct Follower {
    /// On PostgreSQL one connection that is this task's alone.
    database: Database,
    notified: Arc<Notify>,
    dialect: SqlDialect,
    commands: mpsc::Receiver<Command>,
    poll: Duration,
    applied: AppliedOverrides,
    row: ProcessRow,
    /// When the next poll is due, unless a notification arrives first.
    next_poll: Instant,
    /// Whether the last poll failed.
    is_unavailable: bool,
}

impl Follower {
    /// Applies what the fleet shares now.
    pub(super) async fn start(
        database: &Database,
        pipeline: &'static Pipeline,
        poll: Duration,
        commands: mpsc::Receiver<Command>,
    ) -> Result<Self, DatabaseError> {
        let dialect = SqlDialect::of(database);
        let mut applied = AppliedOverrides::new(pipeline);
        applied.apply(table::read(database, dialect).await?);
        let (apart, notified) = database.apart(CHANNEL)?;
        // Leaves time within the interval for the poll itself, and for a new connection.
        let poll = poll.mul_f64(0.8);
        let (row, next_poll) = (ProcessRow::new(), Instant::now());
        Ok(Self { database: apart, notified, dialect, commands, poll, applied, row, next_poll, is_unavailable: false })
    }

    pub(super) async fn run(mut self) {
        loop {
            let command = tokio::select! {
                command = self.commands.recv() => command,
                () = self.notified.notified() => { self.follow().await; continue }
                () = tokio::time::sleep_until(self.next_poll.into()) => { self.follow().await; continue }
            };
            match command {
                Some(Command::Put(new, answer)) => self.answer(answer, async |it| it.put(new).await).await,
                Some(Command::Clear { id, by, answer }) => {
                    self.answer(answer, async |it| it.clear(id, by).await).await;
                }
                Some(Command::Status(answer)) => self.answer(answer, async |it| it.status().await).await,
                Some(Command::Stop(answer)) => {
                    // Where that fails, the row is no longer counted soon.
                    let _ = self.row.remove(&self.database).await;
                    let _ = answer.send(());
                    return;
                }
                None => return,
            }
        }
    }

    /// Does what a caller asks for, and answers before this process's row is written.
    async fn answer<T>(&mut self, answer: Answer<T>, work: impl AsyncFnOnce(&mut Self) -> Result<T, FleetError>) {
        let done = work(self).await;
        self.row.mark_used();
        let is_done = done.is_ok();
        // A caller that has left needs no answer; what was changed stays so.
        let _ = answer.send(done);
        if is_done {
            self.follow().await;
        }
    }

    /// Looks, and keeps this process's row up to date; an outage is logged once.
    async fn follow(&mut self) {
        let now = Instant::now();
        match self.poll_once().await {
            Ok(row_due) => {
                if std::mem::take(&mut self.is_unavailable) {
                    tracing::info!("the log overrides of the fleet are followed again");
                }
                self.next_poll = row_due.into_iter().fold(now + self.poll, Instant::min);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_unavailable, true) {
                    let error = &error as &dyn Error;
                    tracing::warn!(
                        error,
                        "the log overrides of the fleet are not followed; those in force stay so until they expire"
                    );
                }
                self.next_poll = now + self.poll;
            }
        }
    }

    /// Reads what has changed; gives when this process's row is due.
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
        let over = changed.shared.overrides.iter().find(|it| it.id == id).cloned();
        self.applied.apply(changed.shared);
        let over = over.ok_or(FleetError::Unavailable(DatabaseError::NoRow))?;
        Ok(StoredOverride { over, created: changed.created, fleet_version })
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

    /// Does work in a transaction; once more when its connection turns out to be closed.
    async fn change<T: 'static>(
        &self,
        work: impl AsyncFnOnce(&mut Transaction) -> Result<T, DatabaseError> + Clone + 'static,
    ) -> Result<T, DatabaseError> {
        match self.database.transaction(work.clone()).await {
            Err(error) if error.is_lost_connection() => self.database.transaction(work).await,
            done => done,
        }
    }
}
