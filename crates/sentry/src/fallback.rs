//! Handling of undelivered envelopes: events are spooled, or written to stderr if there is no spool; anything else is dropped and
//! counted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use cyanotype_telemetry::effective::Snapshot;
use cyanotype_telemetry::record::Record;
use cyanotype_telemetry::{
    Deliveries, FullEventRecords, Kind, Level, Policy, RecordCounts, RecordSink, Settings, SinkCounts,
};
use parking_lot::{Mutex, MutexGuard};
use sentry::Envelope;
use sentry::protocol::client_report::{LossSource, Reason};
use serde_json::{Map, Value};

use crate::category::Category;
use crate::client_reports::ClientReports;
use crate::clock::{self, Clock};
use crate::delivery_counts::DeliveryCounts;
use crate::losses::PendingLosses;
use crate::queued_envelope::QueuedEnvelope;
use crate::spool::{Claim, Spool, SpoolLosses};
use crate::spool_content::SpoolContent;
use crate::undelivered::Undelivered;

/// Spools or writes undelivered envelopes. Clones share the spool and the losses.
#[derive(Clone)]
pub(crate) struct Fallback {
    lines: Arc<dyn RecordSink>,
    full_events: Arc<FullEventRecords>,
    policy: Arc<Mutex<RecordPolicy>>,
    spool: Option<Arc<Mutex<Spool>>>,
    spool_dir: Option<Arc<PathBuf>>,
    losses: Arc<Mutex<PendingLosses>>,
    /// Where losses are reported to Sentry.
    pub reports: ClientReports,
    pub counts: Arc<DeliveryCounts>,
    clock: Clock,
}

/// The effective policy for the service records of this sink.
struct RecordPolicy {
    policy: Policy,
    /// Whether the policy allows no records at all.
    silent: bool,
}

impl Fallback {
    pub(crate) fn from_settings(settings: &Settings, lines: Arc<dyn RecordSink>) -> Self {
        let sentry = &settings.sentry;
        let dir = sentry.spool_dir.as_deref().map(Path::new);
        let spool = dir.map(|dir| Spool::new(dir, sentry.spool_max_bytes, sentry.spool_max_age()));
        Self::new(lines, FullEventRecords::new(settings), Policy::new(settings, true), spool, clock::system())
    }

    pub(crate) fn new(
        lines: Arc<dyn RecordSink>,
        full_events: FullEventRecords,
        policy: Policy,
        spool: Option<Spool>,
        clock: Clock,
    ) -> Self {
        let spool_dir = spool.as_ref().map(|spool| Arc::new(spool.dir().to_owned()));
        let spool = spool.map(|spool| Arc::new(Mutex::new(spool)));
        let policy = Arc::new(Mutex::new(RecordPolicy { policy, silent: policy.is_off() }));
        Self {
            lines,
            full_events: Arc::new(full_events),
            policy,
            spool,
            spool_dir,
            losses: Arc::default(),
            reports: ClientReports::default(),
            counts: Arc::default(),
            clock,
        }
    }

    /// Applies a change of the effective policy.
    pub(crate) fn apply(&self, snapshot: &Snapshot) {
        *self.policy.lock() = RecordPolicy { policy: snapshot.policy(), silent: !snapshot.may_record() };
    }

    fn lock_spool(&self) -> Option<MutexGuard<'_, Spool>> {
        self.spool.as_ref().map(|spool| spool.lock())
    }

    pub(crate) fn has_spool(&self) -> bool {
        self.spool.is_some()
    }

    /// Spools an event for later delivery, or writes it to stderr if that fails or would not help. Drops anything else.
    pub(crate) fn undelivered(&self, envelope: &QueuedEnvelope, why: &Undelivered) {
        if !envelope.is_event() {
            return self.drop(envelope, why);
        }
        let spool = self.lock_spool().filter(|_| !matches!(why, Undelivered::Refused(_)));
        let Some(mut spool) = spool else { return self.write_undeliverable(envelope, why.reason(), why) };
        let put = spool.put(envelope.category, &envelope.bytes);
        drop(spool);
        match put {
            Ok(losses) => {
                self.counts.spooled.add(1);
                self.add_losses(losses);
            }
            Err(error) => {
                self.write_undeliverable(envelope, &format!("{}; spooling failed: {error}", why.reason()), why);
            }
        }
    }

    /// Drops an envelope without an event.
    fn drop(&self, envelope: &QueuedEnvelope, why: &Undelivered) {
        match why {
            Undelivered::Refused(_) => self.counts.refused.add(1),
            Undelivered::Limited(_) | Undelivered::HeldBack => self.counts.limited.add(1),
            // An outage: what is not spooled then is counted below, as dropped records of this sink.
            Undelivered::Unavailable(_) | Undelivered::QueueFull | Undelivered::Stopped => {}
        }
        if let Some(reason) = why.reported_as() {
            self.reports.discard(&envelope.losses, reason);
        }
        self.losses.lock().add_dropped(envelope.category, why.kind(), (self.clock)());
    }

    /// Counts an item that is dropped because its content cannot be redacted.
    pub(crate) fn drop_item(&self, kind: &'static str, item: &impl LossSource) {
        self.reports.discard(&item.losses().collect::<Vec<_>>(), Reason::BeforeSend);
        self.losses.lock().add_item(kind, (self.clock)());
    }

    /// Spools an envelope after all other sinks, including stderr, have stopped.
    pub(crate) fn spool_last(&self, envelope: &Envelope) {
        if let (Some(mut spool), Some(envelope)) = (self.lock_spool(), QueuedEnvelope::new(envelope)) {
            // No sink is left to report an error to.
            let _ = spool.put(envelope.category, &envelope.bytes);
        }
    }

    /// Stops syncing spooled files to disk, because the process is stopping.
    pub(crate) fn skip_fsync(&self) {
        if let Some(mut spool) = self.lock_spool() {
            spool.fsync = false;
        }
    }

    /// Claims the oldest spooled envelope, after skipping `skip` envelopes.
    pub(crate) fn claim(&self, skip: usize) -> Option<Claim> {
        let mut spool = self.lock_spool()?;
        let claimed = spool
            .claim(skip)
            .map_err(|error| format!("cannot read the spool {} (sentry.spool_dir): {error}", spool.dir().display()));
        drop(spool);
        match claimed {
            Ok((claim, losses)) => {
                self.add_losses(losses);
                claim
            }
            Err(message) => {
                self.write_service_record(Level::Warning, message, Map::new());
                None
            }
        }
    }

    /// Removes a claimed envelope.
    pub(crate) fn remove(&self, claim: Claim) {
        if let Some(Err(error)) = self.lock_spool().map(|mut spool| spool.remove(claim)) {
            self.write_service_record(
                Level::Warning,
                format!("cannot remove an event from the spool; it may be sent again: {error}"),
                Map::new(),
            );
        }
    }

    /// Moves the first spooled envelope to the end.
    pub(crate) fn postpone_first(&self) {
        if let Some(mut spool) = self.lock_spool() {
            spool.postpone_first();
        }
    }

    fn add_losses(&self, losses: SpoolLosses) {
        self.reports.discard_events(losses.evicted + losses.expired, Reason::QueueOverflow);
        if losses != SpoolLosses::default() {
            self.losses.lock().add_spool(losses, (self.clock)());
        }
    }

    /// When the pending losses are to be logged, if there are any.
    pub(crate) fn losses_due(&self) -> Option<Instant> {
        // They remain pending until the policy allows records again.
        if self.policy.lock().silent { None } else { self.losses.lock().due() }
    }

    /// What became of all envelopes. Reads the size of the spool from disk.
    pub(crate) fn sink_counts(&self) -> SinkCounts {
        let dropped = self.losses.lock().totals().clone();
        let mut records: Vec<RecordCounts> = Category::ALL
            .into_iter()
            .map(|it| RecordCounts { kind: it.as_str(), written: self.counts.sent(it), ..RecordCounts::default() })
            .collect();
        for (kind, dropped) in dropped {
            match records.iter_mut().find(|record| record.kind == kind) {
                Some(record) => record.dropped = dropped,
                None => records.push(RecordCounts { kind, dropped, ..RecordCounts::default() }),
            }
        }
        // What cannot be read counts as empty.
        let spool = self.spool_dir.as_ref().and_then(|dir| SpoolContent::read_events(dir).ok()).unwrap_or_default();
        let deliveries = Deliveries {
            sent: records.iter().map(|record| record.written).sum(),
            spooled: self.counts.spooled.get(),
            refused: self.counts.refused.get(),
            limited: self.counts.limited.get(),
            spool_bytes: spool.bytes,
            spool_oldest: spool.oldest.map(|at| at.elapsed().unwrap_or_default()),
        };
        SinkCounts { sink: "sentry", records, deliveries: Some(deliveries), ..SinkCounts::default() }
    }

    /// Logs the losses since the last report.
    pub(crate) fn report_losses(&self) {
        let lines = self.losses.lock().take((self.clock)());
        for (message, detail) in lines {
            self.write_service_record(Level::Warning, message, detail);
        }
    }

    /// Writes an event in full if it can be neither sent nor spooled, so that no event is lost silently.
    fn write_undeliverable(&self, envelope: &QueuedEnvelope, reason: &str, why: &Undelivered) {
        self.counts.refused.add(1);
        if let Some(reason) = why.reported_as() {
            self.reports.discard(&envelope.losses, reason);
        }
        let Some(event) = &envelope.event else { return };
        if self.policy.lock().silent {
            return;
        }
        let event = serde_json::to_value(&**event).unwrap_or_default();
        self.full_events.records(Level::Error, reason, event).iter().for_each(|record| self.lines.write(record));
    }

    /// Logs what cannot be used of the environment's proxy, of the certificate authorities, or of Spotlight.
    pub(crate) fn log_connection_problem(&self, problem: String) {
        self.write_service_record_if_enabled(Level::Warning, problem, Map::new());
    }

    /// Logs that Sentry is unavailable. Without a spool nothing is logged: the events written to stderr show it.
    pub(crate) fn log_unavailable(&self, reason: &str) {
        if let Some(dir) = self.lock_spool().map(|spool| spool.dir().display().to_string()) {
            let detail = Map::from_iter([("reason".to_owned(), Value::from(reason))]);
            self.write_service_record_if_enabled(
                Level::Warning,
                format!("Sentry unavailable; spooling events to {dir}"),
                detail,
            );
        }
    }

    /// Logs that Sentry is available again.
    pub(crate) fn log_available(&self) {
        self.write_service_record_if_enabled(Level::Info, "Sentry available again".into(), Map::new());
    }

    /// Writes a service record that reports no loss, if the policy sends it to stderr.
    fn write_service_record_if_enabled(&self, level: Level, message: String, detail: Map<String, Value>) {
        let policy = self.policy.lock().policy;
        if policy.destinations(Kind::Service, level).stderr {
            self.write_service_record(level, message, detail);
        }
    }

    /// Writes a service record in every mode except `off`.
    fn write_service_record(&self, level: Level, message: String, detail: Map<String, Value>) {
        if self.policy.lock().silent {
            return;
        }
        self.lines.write(&Record::service(level, "cyanotype::sentry", message, detail));
    }
}

#[cfg(test)]
mod tests;
