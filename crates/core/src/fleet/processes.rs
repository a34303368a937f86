//! The heartbeat row of each process, which reports its applied version to the others.
//!
//! It is written while an override exists, and for some seconds after the last change or query. It is removed after that, and at
//! shutdown.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use uuid::Uuid;

use super::dialect::SqlDialect;
use super::types::{FleetStatus, ProcessStatus};
use crate::database::{Database, DatabaseError, Executor};

/// How often the row is written when nothing changes.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// Age at which a row no longer counts, and how long after the last change or query it is still written.
pub(super) const ROW_LIFETIME: Duration = Duration::from_secs(15);

/// This process's row.
pub(super) struct ProcessRow {
    id: Uuid,
    name: String,
    /// When the last change or query was.
    used: Option<Instant>,
    /// When the row was last written, and with which version.
    written: Option<(Instant, u64)>,
}

impl ProcessRow {
    pub(super) fn new() -> Self {
        let name = format!("{}:{}", rustix::system::uname().nodename().to_string_lossy(), std::process::id());
        Self { id: Uuid::new_v4(), name, used: None, written: None }
    }

    /// Records that a change or query happened.
    pub(super) fn mark_used(&mut self) {
        self.used = Some(Instant::now());
    }

    /// When the row is due, with this version; `None` when no row is needed.
    fn due(&self, version: u64, has_overrides: bool) -> Option<Instant> {
        let is_used = self.used.is_some_and(|used| used.elapsed() < ROW_LIFETIME);
        (has_overrides || is_used).then(|| match self.written {
            Some((at, written)) if written == version => at + HEARTBEAT_INTERVAL,
            _ => Instant::now(),
        })
    }

    /// Writes or removes the row when due. Returns the time at which the row is due next, and whether it was written.
    pub(super) async fn update(
        &mut self,
        on: &Database,
        dialect: SqlDialect,
        version: u64,
        has_overrides: bool,
    ) -> Result<(Option<Instant>, bool), DatabaseError> {
        let due = self.due(version, has_overrides);
        let is_due = due.is_some_and(|due| due <= Instant::now());
        match due {
            Some(_) if is_due => self.write(on, dialect, version).await?,
            Some(_) => {}
            None => self.remove(on).await?,
        }
        Ok((self.due(version, has_overrides), is_due))
    }

    pub(super) async fn write(
        &mut self,
        on: &Database,
        dialect: SqlDialect,
        version: u64,
    ) -> Result<(), DatabaseError> {
        let upsert = format!(
            "INSERT INTO log_processes (id, name, version, seen_at) VALUES ($1, $2, $3, {})
             ON CONFLICT (id) DO UPDATE SET version = excluded.version, seen_at = excluded.seen_at RETURNING seen_at",
            dialect.now
        );
        let (now,): (Timestamp,) = on.query_one(&upsert, &[&self.id, &self.name, &version.cast_signed()]).await?;
        self.written = Some((Instant::now(), version));
        on.execute("DELETE FROM log_processes WHERE seen_at <= $1", &[&(now - ROW_LIFETIME)]).await.map(drop)
    }

    /// Removes the row, if there is one.
    pub(super) async fn remove(&mut self, on: &Database) -> Result<(), DatabaseError> {
        if self.written.is_some() {
            on.execute("DELETE FROM log_processes WHERE id = $1", &[&self.id]).await?;
            self.written = None;
        }
        Ok(())
    }
}

/// The processes with a current row.
pub(super) async fn read(on: &Database, dialect: SqlDialect, version: u64) -> Result<FleetStatus, DatabaseError> {
    let (now,): (Timestamp,) = on.query_one(&format!("SELECT {}", dialect.now), &[]).await?;
    let select = "SELECT id, name, version, seen_at FROM log_processes WHERE seen_at > $1 ORDER BY name, id";
    let rows: Vec<(Uuid, String, i64, Timestamp)> = on.query(select, &[&(now - ROW_LIFETIME)]).await?;
    let some = |version: u64| (version > 0).then_some(version);
    let of_row = |(id, name, version, seen): (Uuid, String, i64, Timestamp)| ProcessStatus {
        id,
        name,
        version: some(version.unsigned_abs()),
        seen: seen.to_string(),
    };
    Ok(FleetStatus { version: some(version), processes: rows.into_iter().map(of_row).collect() })
}
