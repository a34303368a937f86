//! Changes of the effective policy: applied to the sinks and to `tracing`, then recorded.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::Notify;

use super::Pipeline;
use crate::effective::{
    Action, EffectivePolicy, Override, OverrideError, PolicyChange, SetOutcome, Source, differences,
};
use crate::level::Level;
use crate::report::Report;
use crate::settings::Settings;
use crate::sinks::LineSink;

impl Pipeline {
    /// What decides now; it is changed with the methods of the pipeline, which the sinks follow.
    #[must_use]
    pub fn effective(&self) -> &EffectivePolicy {
        &self.effective
    }

    /// Sets an override, or refuses to. `expected` is the version that the caller has seen.
    ///
    /// # Errors
    /// When the version is another one, or there are too many overrides.
    pub fn set_override(&self, new: &Override, expected: Option<u64>) -> Result<SetOutcome, OverrideError> {
        let outcome = self.changed(|effective| effective.set(new, expected))?;
        self.record_change(&outcome.change);
        Ok(outcome)
    }

    /// Removes an override of this process; `false` when there is none of this id.
    ///
    /// # Errors
    /// When the version is another one.
    pub fn clear_override(
        &self,
        id: &str,
        expected: Option<u64>,
        by: &str,
        source: Source,
        reason: &str,
    ) -> Result<bool, OverrideError> {
        let change = self.changed(|effective| effective.clear(id, expected, by, source, reason))?;
        change.iter().for_each(|change| self.record_change(change));
        Ok(change.is_some())
    }

    /// Removes the overrides that have expired; returns when the next one does.
    pub fn expire_overrides(&self) -> Option<Instant> {
        let now = Instant::now();
        if self.effective.next_expiry().is_some_and(|next| next <= now) {
            let changes = self.changed(|effective| effective.expire(now));
            changes.iter().for_each(|change| self.record_change(change));
        }
        self.effective.next_expiry()
    }

    /// Replaces the overrides that the fleet shares. `cleared_by` has the ids of those that were cleared lately, with who did it.
    pub fn set_fleet_overrides(
        &self,
        version: Option<u64>,
        overrides: Vec<Override>,
        cleared_by: &BTreeMap<String, String>,
    ) {
        let changes = self.changed(|effective| effective.set_fleet(version, overrides, cleared_by));
        changes.iter().for_each(|change| self.record_change(change));
    }

    /// Applies settings that were read again, those that can change while the service runs, and records it. `change` is the
    /// record's, without the values.
    pub fn reconfigure(&self, settings: &Settings, change: PolicyChange) {
        let off_before = self.policy().is_silent();
        let (before, after) = self.changed(|effective| effective.reconfigure(settings));
        let [before, after] = differences(&before, &after);
        let off_after = self.policy().is_silent();
        self.record_change(&PolicyChange { before, after, off_before, off_after, ..change });
    }

    /// Records a change, or that it was refused: whatever the level, unless the mode is `off` before and after it.
    pub fn record_change(&self, change: &PolicyChange) {
        if change.off_before && change.off_after {
            return;
        }
        let level = match (change.action, change.source) {
            // Files that cannot be used.
            (Action::Refused, Source::Signal | Source::File) => Level::Error,
            (Action::Refused, _) => Level::Warning,
            _ => Level::Info,
        };
        let report = Report::service(level, change.message()).with("change", change.to_json());
        let report = report.redacted(&self.redactor);
        let at = Timestamp::now();
        if self.policy().has_sentry() {
            self.store(None, report.to_breadcrumb(at));
        }
        self.sinks.write(&report.into_record(at, None, None, false));
    }

    /// Wakes who waits for a change of the effective policy: one task, which removes the overrides that expire.
    #[must_use]
    pub fn policy_changed(&self) -> &Notify {
        &self.policy_changed
    }

    /// Changes the effective policy; the sinks and `tracing` follow before the next change.
    pub(super) fn changed<T>(&self, change: impl FnOnce(&EffectivePolicy) -> T) -> T {
        let _one_at_a_time = self.changing.lock();
        let version = self.snapshot().version;
        let outcome = change(&self.effective);
        let snapshot = self.effective.load_full();
        if snapshot.version != version {
            self.sinks.apply(&snapshot);
            self.filter.set_policy(snapshot.min_level);
            self.policy_changed.notify_one();
        }
        outcome
    }
}
