//! Snapshots of the effective policy.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::flags::Flags;
use super::levels::{self, ModuleLevels, is_in_module};
use super::live::{LiveSettings, LiveValues};
use super::origin::RecordOrigin;
use super::overrides::{Override, OverrideScope};
use crate::flag_values::FlagValues;
use crate::identity::RequestIdentity;
use crate::level::Level;
use crate::policy::Policy;
use crate::settings::{Env, Mode, ResponseLog};

/// The effective values of the live settings for one record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffectiveValues {
    /// The inputs of the destination table.
    pub policy: Policy,
    /// `log.response.body`.
    pub response_body: ResponseLog,
    /// `log.request.body`.
    pub request_body: ResponseLog,
    /// `log.response.sample_rate`, from 0 to 1.
    pub response_sample_rate: f64,
    /// `sentry.sample_rate`, from 0 to 1.
    pub event_sample_rate: f64,
}

impl EffectiveValues {
    fn new(inputs: &PolicyInputs) -> Self {
        let PolicyInputs { env, live, has_event_sink, logs, .. } = inputs;
        Self {
            policy: Policy {
                env: *env,
                mode: live.mode,
                level: live.level,
                breadcrumb_level: live.breadcrumb_level,
                event_level: live.event_level,
                sentry: *has_event_sink,
                logs: *logs,
            },
            response_body: live.response_body,
            request_body: live.request_body,
            response_sample_rate: live.response_sample_rate,
            event_sample_rate: live.event_sample_rate,
        }
    }

    fn live(&self, levels: BTreeMap<String, Level>) -> LiveSettings {
        LiveSettings {
            mode: self.policy.mode,
            level: self.policy.level,
            levels,
            response_body: self.response_body,
            request_body: self.request_body,
            response_sample_rate: self.response_sample_rate,
            breadcrumb_level: self.policy.breadcrumb_level,
            event_level: self.policy.event_level,
            event_sample_rate: self.event_sample_rate,
        }
    }

    /// Replaces the mode and the level, where flags set them.
    fn apply_flags(&mut self, mode: Option<Mode>, level: Option<Level>) {
        self.policy.mode = mode.unwrap_or(self.policy.mode);
        self.policy.level = level.unwrap_or(self.policy.level);
    }

    /// Replaces all values that are set, except the level.
    fn apply(&mut self, set: &LiveValues) {
        let Self { policy, response_body, request_body, response_sample_rate, event_sample_rate } = self;
        policy.mode = set.mode.unwrap_or(policy.mode);
        policy.breadcrumb_level = set.breadcrumb_level.unwrap_or(policy.breadcrumb_level);
        policy.event_level = set.event_level.unwrap_or(policy.event_level);
        // An override must not record bodies that the settings exclude.
        *response_body = set.response_body.map_or(*response_body, |body| body.min(*response_body));
        *request_body = set.request_body.map_or(*request_body, |body| body.min(*request_body));
        *response_sample_rate = set.response_sample_rate.unwrap_or(*response_sample_rate);
        *event_sample_rate = set.event_sample_rate.unwrap_or(*event_sample_rate);
    }
}

/// The settings and flags that a snapshot is computed from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PolicyInputs {
    pub env: Env,
    pub live: LiveSettings,
    /// Whether the process has an event sink.
    pub has_event_sink: bool,
    /// `sentry.logs`.
    pub logs: bool,
    /// `log.on_failure.level`.
    pub on_failure: Option<Level>,
    /// The flags; `None` without a flag provider.
    pub flags: Option<Flags>,
}

/// An immutable version of the effective policy.
#[derive(Debug)]
pub struct Snapshot {
    /// The version, incremented by each change of the policy of this process.
    pub version: u64,
    /// The version of the fleet overrides; `None` until the first fleet override.
    pub fleet_version: Option<u64>,
    pub(super) inputs: PolicyInputs,
    /// The active overrides, in ascending precedence.
    pub overrides: Vec<Override>,
    /// The index of the first override whose scope is narrower than the process.
    first_scoped: usize,
    /// The values for a record without blueprint, module or route.
    process: LiveSettings,
    /// The same values, without the levels of modules.
    base: EffectiveValues,
    /// The values from the settings and the process flags, before overrides.
    without_overrides: EffectiveValues,
    levels: ModuleLevels,
    /// The minimum level of a record that any sink could receive, except for requests with a debug token.
    pub min_level: Level,
    may_record: bool,
    event_sinks_active: bool,
    may_record_requests: bool,
    event_sinks_active_for_requests: bool,
}

impl Snapshot {
    pub(super) fn new(
        version: u64,
        fleet_version: Option<u64>,
        inputs: PolicyInputs,
        mut overrides: Vec<Override>,
    ) -> Self {
        overrides.sort_by(|a, b| {
            let key = |it: &Override| (it.scope.rank(), it.set_at);
            key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id))
        });
        let first_scoped = overrides.partition_point(|it| it.scope == OverrideScope::Process);
        let flags = inputs.flags.unwrap_or_default();
        let mut without_overrides = EffectiveValues::new(&inputs);
        without_overrides.apply_flags(flags.process.mode, flags.process.level);
        let process_wide = &overrides[..first_scoped];
        let base = with_overrides(without_overrides, process_wide);
        let mut levels = inputs.live.levels.clone();
        levels.extend(process_wide.iter().flat_map(|it| it.set.levels.clone()));
        let process = base.live(levels);
        let levels = ModuleLevels::new(&process.levels);
        let scoped = &overrides[first_scoped..];
        let scoped_levels = scoped.iter().flat_map(|it| it.set.level.iter().chain(it.set.levels.values())).copied();
        let minimum_levels = scoped_levels
            .chain(levels.min_level())
            .chain(inputs.on_failure)
            .chain(flags.min_level)
            .chain([process.level]);
        let modes = scoped.iter().filter_map(|it| it.set.mode);
        let policies = || modes.clone().map(|mode| Policy { mode, ..base.policy }).chain([base.policy]);
        let may_record = flags.may_record || policies().any(|policy| !policy.is_off());
        let event_sinks_active = flags.event_sinks_active || policies().any(|policy| policy.has_sentry());
        let has_flags = inputs.flags.is_some();
        Self {
            version,
            fleet_version,
            first_scoped,
            base,
            without_overrides,
            levels,
            min_level: minimum_levels.min().unwrap_or(process.level),
            may_record,
            event_sinks_active,
            may_record_requests: may_record || has_flags,
            event_sinks_active_for_requests: event_sinks_active || has_flags && inputs.has_event_sink,
            process,
            inputs,
            overrides,
        }
    }

    /// The overrides whose scope is narrower than the process.
    fn scoped(&self) -> &[Override] {
        &self.overrides[self.first_scoped..]
    }

    /// Whether the same values apply to every record, except for requests with flags or a debug token.
    fn is_uniform(&self) -> bool {
        self.first_scoped == self.overrides.len()
    }

    /// The values from the settings.
    #[must_use]
    pub fn configured(&self) -> &LiveSettings {
        &self.inputs.live
    }

    /// The effective values for a record without blueprint, module or route.
    #[must_use]
    pub fn effective(&self) -> &LiveSettings {
        &self.process
    }

    /// The inputs of the destination table for a record without blueprint, module or route.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.base.policy
    }

    /// The minimum level of the lines that are buffered to be written if their request fails.
    #[must_use]
    pub fn on_failure(&self) -> Option<Level> {
        self.inputs.on_failure
    }

    /// Whether the policy allows any record at all, in any scope. A sink reports its own losses, which may be of any scope, while it
    /// does ([`Policy::notice_destinations`]).
    #[must_use]
    pub fn may_record(&self) -> bool {
        self.may_record
    }

    /// Whether event sinks receive anything at all, in any scope.
    #[must_use]
    pub fn event_sinks_active(&self) -> bool {
        self.event_sinks_active
    }

    /// Whether a request that starts now may be recorded: by this policy, or by its flags, which are evaluated later.
    #[must_use]
    pub fn may_record_requests(&self) -> bool {
        self.may_record_requests
    }

    /// Whether event sinks may receive anything from a request that starts now. See [`Self::may_record_requests`].
    #[must_use]
    pub fn event_sinks_active_for_requests(&self) -> bool {
        self.event_sinks_active_for_requests
    }

    /// Whether the sinks and the `tracing` filter that a request with these flags needs are active in this snapshot.
    pub(crate) fn supports(&self, flags: FlagValues) -> bool {
        let policy = flags.mode.map(|mode| Policy { mode, ..self.base.policy });
        flags.min_level().is_none_or(|level| level >= self.min_level)
            && policy.is_none_or(|policy| self.may_record || policy.is_off())
            && policy.is_none_or(|policy| self.event_sinks_active || !policy.has_sentry())
    }

    /// The upper bound of `log.response.body` for any response: overrides with a narrower scope can only reduce it.
    #[must_use]
    pub fn max_response_body(&self) -> ResponseLog {
        self.base.response_body
    }

    /// The effective values for a record, other than a log line, of this request, created by this module.
    #[inline]
    #[must_use]
    pub fn values_for_request(&self, request: Option<&RequestIdentity>, target: &str) -> EffectiveValues {
        let has_log_values = request.is_some_and(RequestIdentity::has_log_values);
        // Fast path: true for almost all requests.
        if self.is_uniform() && !has_log_values {
            return self.base;
        }
        let scoped = self.scoped();
        if !has_log_values && !scoped.iter().any(|it| it.scope.applies_to_request(request, target)) {
            return self.base;
        }
        self.values_for(&RecordOrigin::new(request, target))
    }

    /// The effective values for a record: the settings, then flags, then overrides from the widest scope to the narrowest,
    /// then the level of a debug token or of the flag `log-debug-request`.
    ///
    /// For log lines, a level in `log.levels` takes precedence over `log.level`. An override for that module takes precedence
    /// over both. An override for the route of the request takes precedence over the override for the module, but not over
    /// `log.levels` alone.
    #[must_use]
    pub fn values_for(&self, origin: &RecordOrigin<'_>) -> EffectiveValues {
        let mut values = self.base;
        let scoped = self.scoped();
        if origin.flag_mode.is_some() || origin.flag_level.is_some() {
            let mut flagged = self.without_overrides;
            flagged.apply_flags(origin.flag_mode, origin.flag_level);
            values = with_overrides(flagged, &self.overrides[..self.first_scoped]);
        }
        if self.is_uniform() && !origin.is_line && origin.debug.is_none() {
            return values;
        }
        let mut level = values.policy.level;
        let mut module_level = if origin.is_line { self.levels.of(origin.target) } else { None };
        let mut module_level_is_overridden = false;
        for it in scoped.iter().filter(|it| it.scope.applies_to(origin)) {
            values.apply(&it.set);
            let is_module_scope = matches!(it.scope, OverrideScope::Module(_));
            match it.set.level {
                Some(new) if is_module_scope => (module_level, module_level_is_overridden) = (Some(new), true),
                Some(new) => {
                    level = new;
                    if module_level_is_overridden {
                        module_level = None;
                    }
                }
                None => {}
            }
            let matching =
                it.set.levels.iter().filter(|(module, _)| origin.is_line && is_in_module(origin.target, module));
            if let Some((_, new)) = matching.max_by_key(|(module, _)| module.len()) {
                (module_level, module_level_is_overridden) = (Some(*new), true);
            }
        }
        let default = if origin.is_line { levels::default_level(origin.target, level) } else { level };
        values.policy.level = module_level.unwrap_or(default);
        if let Some(debug) = origin.debug {
            values.policy.level = values.policy.level.min(debug);
            values.policy.breadcrumb_level = values.policy.breadcrumb_level.min(debug);
        }
        values
    }

    /// The effective values of these keys for records in this scope.
    #[must_use]
    pub fn values_in_scope(&self, keys: &LiveValues, scope: &OverrideScope) -> Map<String, Value> {
        let example = scope.example();
        let level = |module: &String| (module.clone(), self.module_level(module, &example));
        let levels = keys.levels.keys().map(level).collect();
        let mut values = self.values_for(&example).live(levels).to_json();
        let requested = keys.to_json();
        values.retain(|key, _| requested.contains_key(key));
        values
    }

    fn module_level(&self, module: &str, example: &RecordOrigin<'_>) -> Level {
        self.values_for(&RecordOrigin { target: module, is_line: true, ..*example }).policy.level
    }

    /// The snapshot as the management API shows it.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let overrides: Vec<_> = self.overrides.iter().map(Override::to_json).collect();
        let mut map = Map::new();
        map.insert("version".to_owned(), self.version.into());
        map.insert("fleet_version".to_owned(), json!(self.fleet_version));
        map.insert("configured".to_owned(), self.inputs.live.to_json().into());
        map.insert("effective".to_owned(), self.process.to_json().into());
        map.insert("overrides".to_owned(), json!(overrides));
        map
    }
}

/// Applies process-wide overrides.
fn with_overrides(mut values: EffectiveValues, process_wide: &[Override]) -> EffectiveValues {
    for Override { set, .. } in process_wide {
        values.apply(set);
        values.policy.level = set.level.unwrap_or(values.policy.level);
    }
    values
}
