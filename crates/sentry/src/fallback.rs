//! What becomes of an envelope that Sentry did not take: the spool where there is one, else stderr.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cyanotype_telemetry::effective::Snapshot;
use cyanotype_telemetry::record::Record;
use cyanotype_telemetry::{Kind, Level, LineSink, Policy, Settings};
use parking_lot::{Mutex, MutexGuard};
use sentry::Envelope;
use serde_json::{Map, Value};

use crate::clock::{self, Clock};
use crate::queue::QueuedEnvelope;
use crate::spool::{Claim, Losses, Spool};

/// Losses of so long are reported together.
const LOSSES_PERIOD: Duration = Duration::from_secs(1);

/// Stores or writes what was not delivered. Clones share the spool and the losses.
#[derive(Clone)]
pub(crate) struct Fallback {
    lines: Arc<dyn LineSink>,
    policy: Arc<Mutex<RecordPolicy>>,
    spool: Option<Arc<Mutex<Spool>>>,
    losses: Arc<Mutex<PendingLosses>>,
    clock: Clock,
}

/// What the effective policy says of the records of this sink.
struct RecordPolicy {
    policy: Policy,
    /// Whether nothing is recorded at all.
    silent: bool,
}

/// Losses that have not been reported.
#[derive(Default)]
struct PendingLosses {
    losses: Losses,
    /// When they are to be; `None` while there are none.
    due: Option<Instant>,
}

impl Fallback {
    pub(crate) fn of(settings: &Settings, lines: Arc<dyn LineSink>) -> Self {
        let sentry = &settings.sentry;
        let dir = sentry.spool_dir.as_deref().map(Path::new);
        let spool = dir.map(|dir| Spool::new(dir, sentry.spool_max_bytes, sentry.spool_max_age()));
        Self::new(lines, Policy::new(settings, true), spool, clock::system())
    }

    pub(crate) fn new(lines: Arc<dyn LineSink>, policy: Policy, spool: Option<Spool>, clock: Clock) -> Self {
        let spool = spool.map(|spool| Arc::new(Mutex::new(spool)));
        let policy = Arc::new(Mutex::new(RecordPolicy { policy, silent: policy.is_off() }));
        Self { lines, policy, spool, losses: Arc::default(), clock }
    }

    /// Follows the effective policy.
    pub(crate) fn apply(&self, snapshot: &Snapshot) {
        *self.policy.lock() = RecordPolicy { policy: snapshot.policy(), silent: !snapshot.may_record() };
    }

    fn lock_spool(&self) -> Option<MutexGuard<'_, Spool>> {
        self.spool.as_ref().map(|spool| spool.lock())
    }

    pub(crate) fn has_spool(&self) -> bool {
        self.spool.is_some()
    }

    /// Spools an envelope until Sentry takes it; where that cannot be, it is written.
    pub(crate) fn spool(&self, envelope: &QueuedEnvelope, reason: &str) {
        let Some(mut spool) = self.lock_spool() else { return self.write_undeliverable(envelope, reason) };
        let put = spool.put(envelope.category, &envelope.bytes);
        drop(spool);
        match put {
            Ok(losses) => self.count(losses),
            Err(error) => {
                self.write_undeliverable(envelope, &format!("{reason}, and it could not be kept: {error}"));
            }
        }
    }

    /// Spools one more when everything else has ended, and stderr too.
    pub(crate) fn spool_last(&self, envelope: &Envelope) {
        if let (Some(mut spool), Some(envelope)) = (self.lock_spool(), QueuedEnvelope::new(envelope)) {
            // No sink is left that could report an error.
            let _ = spool.put(envelope.category, &envelope.bytes);
        }
    }

    /// The process ends: what is spooled from now on is not synced.
    pub(crate) fn skip_fsync(&self) {
        if let Some(mut spool) = self.lock_spool() {
            spool.fsync = false;
        }
    }

    /// Claims the oldest of the spool but for the first `skip`.
    pub(crate) fn claim(&self, skip: usize) -> Option<Claim> {
        let claimed = self.lock_spool()?.claim(skip);
        match claimed {
            Ok((claim, losses)) => {
                self.count(losses);
                claim
            }
            Err(error) => {
                self.write(Level::Warning, format!("the spool cannot be read: {error}"), Map::new());
                None
            }
        }
    }

    /// Removes what was claimed.
    pub(crate) fn remove(&self, claim: Claim) {
        if let Some(Err(error)) = self.lock_spool().map(|mut spool| spool.remove(claim)) {
            self.write(Level::Warning, format!("an event that was sent stays in the spool: {error}"), Map::new());
        }
    }

    /// Puts the first of the spool behind the others.
    pub(crate) fn postpone_first(&self) {
        if let Some(mut spool) = self.lock_spool() {
            spool.postpone_first();
        }
    }

    fn count(&self, losses: Losses) {
        if losses != Losses::default() {
            let mut pending = self.losses.lock();
            pending.losses.add(losses);
            pending.due.get_or_insert_with(|| (self.clock)() + LOSSES_PERIOD);
        }
    }

    /// When losses are to be reported, if there are any.
    pub(crate) fn losses_due(&self) -> Option<Instant> {
        // They wait until something is recorded again.
        if self.policy.lock().silent { None } else { self.losses.lock().due }
    }

    /// Reports the losses since the last report.
    pub(crate) fn report_losses(&self) {
        let PendingLosses { losses, .. } = std::mem::take(&mut *self.losses.lock());
        for (count, why) in [(losses.evicted, "the spool is full"), (losses.expired, "they were too old")] {
            if count > 0 {
                let dropped = Map::from_iter([("event".to_owned(), Value::from(count))]);
                let detail = Map::from_iter([("dropped".to_owned(), dropped.into())]);
                self.write(Level::Warning, format!("{count} kept events were dropped: {why}"), detail);
            }
        }
        for name in losses.quarantined {
            self.write(Level::Warning, format!("{name} in the spool is no event and was put aside"), Map::new());
        }
    }

    /// Writes an event in full that can be neither sent nor spooled: none is lost in silence.
    pub(crate) fn write_undeliverable(&self, envelope: &QueuedEnvelope, reason: &str) {
        let Some(event) = &envelope.event else { return };
        let mut detail = Map::new();
        detail.insert("reason".into(), reason.into());
        detail.insert("event".into(), serde_json::to_value(&**event).unwrap_or_default());
        self.write(Level::Error, format!("an event did not reach Sentry: {reason}"), detail);
    }

    /// Logs that Sentry is unavailable; without a spool the events on stderr show it.
    pub(crate) fn log_unavailable(&self, reason: &str) {
        if let Some(dir) = self.lock_spool().map(|spool| spool.dir().display().to_string()) {
            let detail = Map::from_iter([("reason".to_owned(), Value::from(reason))]);
            self.log_service_event(Level::Warning, format!("Sentry takes no events; they are kept in {dir}"), detail);
        }
    }

    /// Logs that Sentry is available again.
    pub(crate) fn log_available(&self) {
        self.log_service_event(Level::Info, "Sentry takes events again".into(), Map::new());
    }

    /// Logs what is no loss, where the table has it.
    fn log_service_event(&self, level: Level, message: String, detail: Map<String, Value>) {
        let policy = self.policy.lock().policy;
        if policy.destinations(Kind::Service, level).stderr {
            self.write(level, message, detail);
        }
    }

    /// Writes what is written in every mode but `off`.
    fn write(&self, level: Level, message: String, detail: Map<String, Value>) {
        if self.policy.lock().silent {
            return;
        }
        self.lines.write(&Record::service(level, "cyanotype::sentry", message, detail));
    }
}

#[cfg(test)]
mod tests;
