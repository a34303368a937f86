//! Changes of the effective policy. Each is applied to the sinks and to `tracing`'s filter, then recorded.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::Notify;

use super::Pipeline;
use crate::effective::{
    Action, EffectivePolicy, Override, OverrideError, PolicyChange, SetOutcome, Source, differences,
};
use crate::level::Level;
use crate::policy::ToSentry;
use crate::report::Report;
use crate::settings::Settings;

impl Pipeline {
    /// The effective policy. Change it with the methods of the pipeline, which update the sinks too.
    #[must_use]
    pub fn effective(&self) -> &EffectivePolicy {
        &self.effective
    }

    /// Sets an override. `expected` is the version of the policy that the caller's request is based on.
    ///
    /// # Errors
    /// If the current version is different, or there are too many overrides.
    pub fn set_override(&self, new: &Override, expected: Option<u64>) -> Result<SetOutcome, OverrideError> {
        let outcome = self.apply_change(|effective| effective.set(new, expected))?;
        self.record_change(&outcome.change);
        Ok(outcome)
    }

    /// Removes an override of this process; returns `false` if there is none with this id.
    ///
    /// # Errors
    /// If the current version is not the `expected` one.
    pub fn clear_override(
        &self,
        id: &str,
        expected: Option<u64>,
        by: &str,
        source: Source,
        reason: &str,
    ) -> Result<bool, OverrideError> {
        let change = self.apply_change(|effective| effective.clear(id, expected, by, source, reason))?;
        change.iter().for_each(|change| self.record_change(change));
        Ok(change.is_some())
    }

    /// Removes the expired overrides; returns the time at which the next one expires.
    pub fn expire_overrides(&self) -> Option<Instant> {
        let now = Instant::now();
        if self.effective.next_expiry().is_some_and(|next| next <= now) {
            let changes = self.apply_change(|effective| effective.expire(now));
            changes.iter().for_each(|change| self.record_change(change));
        }
        self.effective.next_expiry()
    }

    /// Replaces the overrides that the fleet shares. `cleared_by` maps the id of each recently cleared one to who cleared it.
    pub fn set_fleet_overrides(
        &self,
        version: Option<u64>,
        overrides: Vec<Override>,
        cleared_by: &BTreeMap<String, String>,
    ) {
        let changes = self.apply_change(|effective| effective.set_fleet(version, overrides, cleared_by));
        changes.iter().for_each(|change| self.record_change(change));
    }

    /// Applies the live settings of a reloaded configuration, and records the change. `change` describes it, without the values.
    pub fn reconfigure(&self, settings: &Settings, change: PolicyChange) {
        let off_before = self.policy().is_off();
        let (before, after) = self.apply_change(|effective| effective.reconfigure(settings));
        let [before, after] = differences(&before, &after);
        let off_after = self.policy().is_off();
        self.record_change(&PolicyChange { before, after, off_before, off_after, ..change });
    }

    /// Records a change or its refusal, at any `log.level`, unless the mode is `off` both before and after it.
    pub fn record_change(&self, change: &PolicyChange) {
        if change.off_before && change.off_after {
            return;
        }
        let level = match (change.action, change.source) {
            // Invalid files.
            (Action::Refused, Source::Signal | Source::File) => Level::Error,
            (Action::Refused, _) => Level::Warning,
            _ => Level::Info,
        };
        let report = Report::service(level, change.message()).with("change", change.to_json());
        let report = report.redacted(&self.redactor);
        let at = Timestamp::now();
        if self.policy().notice_destinations().sentry == ToSentry::Breadcrumb {
            self.store_breadcrumb(None, report.to_breadcrumb(at));
        }
        self.sinks.write(&report.into_record(at, None, None, false));
    }

    /// Notified after each change of the effective policy. One task waits for it: the one that removes expired overrides.
    #[must_use]
    pub fn policy_changed(&self) -> &Notify {
        &self.policy_changed
    }

    /// Changes the effective policy, and applies it to the sinks and to `tracing`'s filter before the next change.
    pub(super) fn apply_change<T>(&self, change: impl FnOnce(&EffectivePolicy) -> T) -> T {
        let _one_at_a_time = self.change_lock.lock();
        let version = self.snapshot().version;
        let outcome = change(&self.effective);
        let snapshot = self.effective.load_full();
        if snapshot.version != version {
            self.sinks.apply(&snapshot);
            self.filter.set_policy_level(snapshot.min_level);
            self.policy_changed.notify_one();
        }
        outcome
    }
}
