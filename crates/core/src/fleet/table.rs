//! The tables of the overrides: what a look reads, and how a change is written.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cyanotype_telemetry::effective::{LiveValues, MAX_OVERRIDES, Override, OverrideScope, Source};
use jiff::Timestamp;

use super::dialect::SqlDialect;
use super::types::NewFleetOverride;
use crate::database::{Database, DatabaseError, Executor, Transaction};
use crate::from_row;

/// The channel on which a change is notified; also the name of the connections that listen.
pub(super) const CHANNEL: &str = "cyanotype_log";
/// A row that has ended stays so long: a process that reads it late must not take it for one that was cleared unseen.
pub(super) const ENDED_ROW_LIFETIME: Duration = Duration::from_secs(10);
/// At most so many stay, whatever their age.
const MAX_ENDED_ROWS: i64 = MAX_OVERRIDES as i64;

/// What the processes share at one moment.
#[derive(Debug)]
pub(super) struct SharedOverrides {
    pub version: u64,
    /// Some may have expired.
    pub overrides: Vec<Override>,
    /// Ids of overrides that were cleared lately, and who did it.
    pub cleared_by: BTreeMap<String, String>,
}

/// The version, which is all that a look reads while nothing changes.
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

/// All of one moment, by one statement.
pub(super) async fn read(on: impl Executor, dialect: SqlDialect) -> Result<SharedOverrides, DatabaseError> {
    // Before the query: an override rather ends a little early here than late.
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
        // Without any override there is one row with nothing of one.
        let Some(id) = row.id.take() else { continue };
        if let Some(by) = row.cleared_by.take() {
            shared.cleared_by.insert(id, by);
        } else if let Some(over) = row.read(&id, queried_at) {
            shared.overrides.push(over);
        } else {
            // It may be of another version of the program, which knows more settings.
            tracing::warn!("the fleet's override {id} is passed over: this version does not understand it");
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
            scope: scope(&self.scope_kind?, self.scope_name?)?,
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

fn scope(kind: &str, name: String) -> Option<OverrideScope> {
    Some(match kind {
        "process" => OverrideScope::Process,
        "blueprint" => OverrideScope::Blueprint(name),
        "module" => OverrideScope::Module(name),
        "route" => OverrideScope::Route(name),
        _ => return None,
    })
}

/// What a change has found, and what it has left.
pub(super) struct Changed {
    /// Whether there was none of this id.
    pub created: bool,
    pub shared: SharedOverrides,
}

/// Writes an override; `None`, and nothing is written, when there are too many.
pub(super) async fn put(
    on: &mut Transaction,
    dialect: SqlDialect,
    new: &NewFleetOverride,
) -> Result<Option<Changed>, DatabaseError> {
    let (version, now) = begin(on, dialect).await?;
    delete_ended(&mut *on, now, version - MAX_ENDED_ROWS).await?;
    let set = serde_json::Value::from(new.set.to_json()).to_string();
    let (kind, name) = new.scope.key_value().unwrap_or(("process", ""));

    let find = "SELECT set_values, scope_kind, scope_name, set_at FROM log_overrides
        WHERE id = $1 AND until > $2 AND cleared_by IS NULL";
    let old: Option<(String, String, String, Timestamp)> = on.query_opt(find, &[&new.id, &now]).await?;
    if old.is_none() {
        let count = "SELECT count(*) FROM log_overrides WHERE until > $1 AND cleared_by IS NULL";
        let (count,): (i64,) = on.query_one(count, &[&now]).await?;
        if count >= MAX_OVERRIDES as i64 {
            on.forget();
            return Ok(None);
        }
    }
    // One that repeats what is there has its rank among those of its scope, in a process that has just started, too.
    let repeats = old.as_ref().is_some_and(|(old_set, old_kind, old_name, _)| {
        (old_set, old_kind.as_str(), old_name.as_str()) == (&set, kind, name)
    });
    let set_at = old.as_ref().filter(|_| repeats).map_or(now, |(.., set_at)| *set_at);
    let until = now.checked_add(new.lasts).unwrap_or(Timestamp::MAX);
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

/// Ends an override; `None`, and nothing is written, when there is none of this id. Its row stays for a moment with who did it.
pub(super) async fn clear(
    on: &mut Transaction,
    dialect: SqlDialect,
    id: &str,
    by: &str,
) -> Result<Option<SharedOverrides>, DatabaseError> {
    let (version, now) = begin(on, dialect).await?;
    delete_ended(&mut *on, now, version - MAX_ENDED_ROWS).await?;
    let end = "UPDATE log_overrides SET cleared_by = $1, until = $2, version = $3
        WHERE id = $4 AND until > $2 AND cleared_by IS NULL";
    if on.execute(end, &[&by, &now, &version, &id]).await? == 0 {
        on.forget();
        return Ok(None);
    }
    notify(on, dialect).await?;
    Ok(Some(read(on, dialect).await?))
}

/// Counts the version up, after which no other process changes anything, and gives it with the time.
async fn begin(on: &mut Transaction, dialect: SqlDialect) -> Result<(i64, Timestamp), DatabaseError> {
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

/// Deletes rows that ended a while ago.
pub(super) async fn clean(on: &Database, dialect: SqlDialect) -> Result<(), DatabaseError> {
    let (now,) = on.query_one(&format!("SELECT {}", dialect.now), &[]).await?;
    delete_ended(on, now, 0).await.map(drop)
}

/// Deletes rows that ended a while ago, and those that have ended since they were written with this version or before.
async fn delete_ended(on: impl Executor, now: Timestamp, before: i64) -> Result<u64, DatabaseError> {
    let delete = "DELETE FROM log_overrides WHERE until <= $1 OR (until <= $2 AND version <= $3)";
    on.execute(delete, &[&(now - ENDED_ROW_LIFETIME), &now, &before]).await
}
