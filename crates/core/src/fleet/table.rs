//! SQL of the override tables: what a poll reads and a change writes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cyanotype_telemetry::effective::{LiveValues, MAX_OVERRIDES, Override, OverrideScope, Source};
use jiff::Timestamp;

use super::dialect::SqlDialect;
use super::types::NewFleetOverride;
use crate::database::{Database, DatabaseError, Executor, Transaction};
use crate::from_row;

/// The notification channel; also the application name of the listening connections.
pub(super) const CHANNEL: &str = "cyanotype_log";
/// How long an ended row remains. A process that polls late must find the row, or it would treat the override as cleared.
pub(super) const ENDED_ROW_LIFETIME: Duration = Duration::from_secs(10);
/// Maximum number of ended rows, whatever their age.
const MAX_ENDED_ROWS: i64 = MAX_OVERRIDES as i64;

/// A snapshot of the shared overrides.
#[derive(Debug)]
pub(super) struct SharedOverrides {
    pub version: u64,
    /// Some may have expired.
    pub overrides: Vec<Override>,
    /// Ids of recently cleared overrides, and who cleared them.
    pub cleared_by: BTreeMap<String, String>,
}

/// The version of the overrides. A poll reads nothing else while it is unchanged.
pub(super) async fn version(on: impl Executor) -> Result<u64, DatabaseError> {
    let (version,): (i64,) = on.query_one("SELECT version FROM log_fleet", &[]).await?;
    Ok(version.unsigned_abs())
}

struct OverrideRow {
    now: Timestamp,
    fleet_version: i64,
    id: Option<String>,
    set_values: Option<String>,
    scope_kind: Option<String>,
    scope_name: Option<String>,
    set_at: Option<Timestamp>,
    until: Option<Timestamp>,
    reason: Option<String>,
    set_by: Option<String>,
    cleared_by: Option<String>,
}

from_row!(OverrideRow {
    now,
    fleet_version,
    id,
    set_values,
    scope_kind,
    scope_name,
    set_at,
    until,
    reason,
    set_by,
    cleared_by
});

/// A consistent snapshot, by one statement.
pub(super) async fn read(on: impl Executor, dialect: SqlDialect) -> Result<SharedOverrides, DatabaseError> {
    // Taken before the query: an override may expire slightly early here, but never late.
    let queried_at = Instant::now();
    let sql = format!(
        "SELECT {} AS now, log_fleet.version AS fleet_version, id, set_values, scope_kind, scope_name, set_at, until, reason, \
         set_by, cleared_by FROM log_fleet LEFT JOIN log_overrides ON TRUE ORDER BY set_at, id",
        dialect.now
    );
    let rows: Vec<OverrideRow> = on.query(&sql, &[]).await?;
    let version = rows.first().ok_or(DatabaseError::NoRow)?.fleet_version.unsigned_abs();
    let mut shared = SharedOverrides { version, overrides: Vec::new(), cleared_by: BTreeMap::new() };
    for mut row in rows {
        // Without overrides there is one row, whose override columns are null.
        let Some(id) = row.id.take() else { continue };
        if let Some(by) = row.cleared_by.take() {
            shared.cleared_by.insert(id, by);
        } else if let Some(policy_override) = row.read(&id, queried_at) {
            shared.overrides.push(policy_override);
        } else {
            // Another version of the program, with more settings, may have written it.
            tracing::warn!("ignored fleet override {id}: this version cannot read it");
        }
    }
    Ok(shared)
}

impl OverrideRow {
    fn read(self, id: &str, queried_at: Instant) -> Option<Override> {
        let set = LiveValues::parse(&serde_json::from_str(&self.set_values?).ok()?).ok()?;
        let until = self.until?;
        let remaining = Duration::try_from(until.duration_since(self.now)).unwrap_or_default();
        Some(Override {
            id: id.to_owned(),
            set,
            scope: OverrideScope::from_kind(&self.scope_kind?, self.scope_name?)?,
            set_at: self.set_at?,
            until,
            deadline: queried_at + remaining,
            reason: self.reason?,
            by: self.set_by?,
            source: Source::Fleet,
            fleet: true,
        })
    }
}

/// The result of a change.
pub(super) struct Changed {
    /// Whether the id is new.
    pub created: bool,
    pub shared: SharedOverrides,
}

/// Writes an override. Returns `None`, and writes nothing, when there are too many.
pub(super) async fn put(
    on: &mut Transaction,
    dialect: SqlDialect,
    new: &NewFleetOverride,
) -> Result<Option<Changed>, DatabaseError> {
    let (version, now) = begin_change(on, dialect).await?;
    delete_ended(&mut *on, now, version - MAX_ENDED_ROWS).await?;
    let set = serde_json::Value::from(new.set.to_json()).to_string();
    let (kind, name) = (new.scope.kind(), new.scope.name());

    let find = "SELECT set_values, scope_kind, scope_name, set_at FROM log_overrides
        WHERE id = $1 AND until > $2 AND cleared_by IS NULL";
    let old: Option<(String, String, String, Timestamp)> = on.query_opt(find, &[&new.id, &now]).await?;
    if old.is_none() {
        let count = "SELECT count(*) FROM log_overrides WHERE until > $1 AND cleared_by IS NULL";
        let (count,): (i64,) = on.query_one(count, &[&now]).await?;
        if count >= MAX_OVERRIDES as i64 {
            on.set_rollback_only();
            return Ok(None);
        }
    }
    // A repeated override keeps its precedence within the scope, also in processes that start later.
    let repeats = old.as_ref().is_some_and(|(old_set, old_kind, old_name, _)| {
        (old_set, old_kind.as_str(), old_name.as_str()) == (&set, kind, name)
    });
    let set_at = old.as_ref().filter(|_| repeats).map_or(now, |(.., set_at)| *set_at);
    let until = now.checked_add(new.duration).unwrap_or(Timestamp::MAX);
    let insert = "INSERT INTO log_overrides
            (id, set_values, scope_kind, scope_name, set_at, until, reason, set_by, cleared_by, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, $9)
        ON CONFLICT (id) DO UPDATE SET set_values = excluded.set_values, scope_kind = excluded.scope_kind,
            scope_name = excluded.scope_name, set_at = excluded.set_at, until = excluded.until, reason = excluded.reason,
            set_by = excluded.set_by, cleared_by = NULL, version = excluded.version";
    on.execute(insert, &[&new.id, &set, &kind, &name, &set_at, &until, &new.reason, &new.by, &version]).await?;
    notify(on, dialect).await?;
    Ok(Some(Changed { created: old.is_none(), shared: read(on, dialect).await? }))
}

/// Clears an override. Returns `None`, and writes nothing, when there is none with this id. The row remains for some seconds, and
/// names who cleared it.
pub(super) async fn clear(
    on: &mut Transaction,
    dialect: SqlDialect,
    id: &str,
    by: &str,
) -> Result<Option<SharedOverrides>, DatabaseError> {
    let (version, now) = begin_change(on, dialect).await?;
    delete_ended(&mut *on, now, version - MAX_ENDED_ROWS).await?;
    let end = "UPDATE log_overrides SET cleared_by = $1, until = $2, version = $3
        WHERE id = $4 AND until > $2 AND cleared_by IS NULL";
    if on.execute(end, &[&by, &now, &version, &id]).await? == 0 {
        on.set_rollback_only();
        return Ok(None);
    }
    notify(on, dialect).await?;
    Ok(Some(read(on, dialect).await?))
}

/// Increments the version, which blocks changes by other processes until the commit, and returns it with the current time.
async fn begin_change(on: &mut Transaction, dialect: SqlDialect) -> Result<(i64, Timestamp), DatabaseError> {
    let (version,) = on.query_one("UPDATE log_fleet SET version = version + 1 RETURNING version", &[]).await?;
    let (now,) = on.query_one(&format!("SELECT {}", dialect.now), &[]).await?;
    Ok((version, now))
}

async fn notify(on: &mut Transaction, dialect: SqlDialect) -> Result<(), DatabaseError> {
    if dialect.notifies {
        on.execute(&format!("NOTIFY {CHANNEL}"), &[]).await?;
    }
    Ok(())
}

/// Deletes rows that ended more than `ENDED_ROW_LIFETIME` ago.
pub(super) async fn clean(on: &Database, dialect: SqlDialect) -> Result<(), DatabaseError> {
    let (now,) = on.query_one(&format!("SELECT {}", dialect.now), &[]).await?;
    delete_ended(on, now, 0).await.map(drop)
}

/// Deletes rows that ended more than `ENDED_ROW_LIFETIME` ago, and ended rows with this version or an older one.
async fn delete_ended(on: impl Executor, now: Timestamp, up_to_version: i64) -> Result<u64, DatabaseError> {
    let delete = "DELETE FROM log_overrides WHERE until <= $1 OR (until <= $2 AND version <= $3)";
    on.execute(delete, &[&(now - ENDED_ROW_LIFETIME), &now, &up_to_version]).await
}
