//! One version of the effective policy.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::flags::Flags;
use super::levels::{self, ModuleLevels, is_inside};
use super::live::{LiveSettings, LiveValues};
use super::origin::Origin;
use super::overrides::{Override, OverrideScope};
use crate::flag_values::FlagValues;
use crate::identity::RequestIdentity;
use crate::level::Level;
use crate::policy::Policy;
use crate::settings::{Env, Mode, ResponseLog};

/// The values in effect for one record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InForce {
    /// The table's inputs.
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

impl InForce {
    fn new(env: Env, has_event_sink: bool, live: &LiveSettings) -> Self {
        Self {
            policy: Policy {
                env,
                mode: live.mode,
                level: live.level,
                breadcrumb_level: live.breadcrumb_level,
                event_level: live.event_level,
                sentry: has_event_sink,
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

    /// Replaces mode and level.
    fn apply_flags(&mut self, mode: Option<Mode>, level: Option<Level>) {
        self.policy.mode = mode.unwrap_or(self.policy.mode);
        self.policy.level = level.unwrap_or(self.policy.level);
    }

    /// Replaces all but the level.
    fn apply(&mut self, set: &LiveValues) {
        let Self { policy, response_body, request_body, response_sample_rate, event_sample_rate } = self;
        policy.mode = set.mode.unwrap_or(policy.mode);
        policy.breadcrumb_level = set.breadcrumb_level.unwrap_or(policy.breadcrumb_level);
        policy.event_level = set.event_level.unwrap_or(policy.event_level);
        // Towards less only: an override shows nothing that an operator turned off.
        *response_body = set.response_body.map_or(*response_body, |body| body.min(*response_body));
        *request_body = set.request_body.map_or(*request_body, |body| body.min(*request_body));
        *response_sample_rate = set.response_sample_rate.unwrap_or(*response_sample_rate);
        *event_sample_rate = set.event_sample_rate.unwrap_or(*event_sample_rate);
    }
}

/// What settings and flags say, as far as it decides about records.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Configured {
    pub env: Env,
    pub live: LiveSettings,
    /// Whether there is an event sink.
    pub has_event_sink: bool,
    /// `log.on_failure.level`.
    pub on_failure: Option<Level>,
    /// What flags say; `None` where there is no flag system.
    pub flags: Option<Flags>,
}

/// One version of the effective policy. It never changes.
#[derive(Debug)]
pub struct Snapshot {
    /// Grows by one with each change of this process's policy.
    pub version: u64,
    /// The version of the overrides that the fleet shares; `None` while there is no fleet.
    pub fleet_version: Option<u64>,
    pub(super) configured: Configured,
    /// All overrides in force; a later one wins over those before it.
    pub overrides: Vec<Override>,
    /// Where those begin that are for a part of the process.
    first_scoped: usize,
    /// For a record of no blueprint, module or route.
    process: LiveSettings,
    base: InForce,
    /// Settings and the flags of the process, without overrides.
    below_overrides: InForce,
    levels: ModuleLevels,
    /// The level below which no record reaches any sink, wherever it comes from, debug tokens aside.
    pub verbosest: Level,
    may_record: bool,
    may_send: bool,
    may_yet_record: bool,
    may_yet_send: bool,
}

impl Snapshot {
    pub(super) fn new(
        version: u64,
        fleet_version: Option<u64>,
        configured: Configured,
        mut overrides: Vec<Override>,
    ) -> Self {
        overrides.sort_by(|a, b| {
            let key = |it: &Override| (it.scope.rank(), it.set_at);
            key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id))
        });
        let first_scoped = overrides.partition_point(|it| it.scope == OverrideScope::Process);
        let flags = configured.flags.unwrap_or_default();
        let mut below_overrides = InForce::new(configured.env, configured.has_event_sink, &configured.live);
        below_overrides.apply_flags(flags.process.mode, flags.process.level);
        let of_process = &overrides[..first_scoped];
        let base = with_overrides(below_overrides, of_process);
        let mut levels = configured.live.levels.clone();
        levels.extend(of_process.iter().flat_map(|it| it.set.levels.clone()));
        let process = base.live(levels);
        let levels = ModuleLevels::new(&process.levels);
        let scoped = &overrides[first_scoped..];
        let of_overrides = scoped.iter().flat_map(|it| it.set.level.iter().chain(it.set.levels.values())).copied();
        let verbosest = of_overrides
            .chain(levels.verbosest())
            .chain(configured.on_failure)
            .chain(flags.verbosest)
            .chain([process.level]);
        let modes = scoped.iter().filter_map(|it| it.set.mode);
        let policies = || modes.clone().map(|mode| Policy { mode, ..base.policy }).chain([base.policy]);
        let may_record = flags.records || policies().any(|policy| !policy.is_off());
        let may_send = flags.sends || policies().any(|policy| policy.has_sentry());
        let has_flags = configured.flags.is_some();
        Self {
            version,
            fleet_version,
            first_scoped,
            base,
            below_overrides,
            levels,
            verbosest: verbosest.min().unwrap_or(process.level),
            may_record,
            may_send,
            may_yet_record: may_record || has_flags,
            may_yet_send: may_send || has_flags && configured.has_event_sink,
            process,
            configured,
            overrides,
        }
    }

    /// The overrides that are for a part of the process.
    fn scoped(&self) -> &[Override] {
        &self.overrides[self.first_scoped..]
    }

    /// Whether all overrides are for the whole process.
    fn is_uniform(&self) -> bool {
        self.first_scoped == self.overrides.len()
    }

    /// The settings' own values.
    #[must_use]
    pub fn configured(&self) -> &LiveSettings {
        &self.configured.live
    }

    /// The values in effect for a record of no blueprint, module or route.
    #[must_use]
    pub fn effective(&self) -> &LiveSettings {
        &self.process
    }

    /// The table's inputs for a record of no blueprint, module or route.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.base.policy
    }

    /// The level from which lines are stored for the case that their request fails.
    #[must_use]
    pub fn on_failure(&self) -> Option<Level> {
        self.configured.on_failure
    }

    /// Whether anything is recorded, for some record.
    #[must_use]
    pub fn may_record(&self) -> bool {
        self.may_record
    }

    /// Whether event sinks get anything, for some record.
    #[must_use]
    pub fn may_send(&self) -> bool {
        self.may_send
    }

    /// Whether anything may be recorded of a request that begins now: its flags are known only later.
    #[must_use]
    pub fn may_yet_record(&self) -> bool {
        self.may_yet_record
    }

    /// Whether event sinks may get anything of a request that begins now.
    #[must_use]
    pub fn may_yet_send(&self) -> bool {
        self.may_yet_send
    }

    /// Whether the sinks and `tracing` are ready for a request with these flags.
    pub(crate) fn admits(&self, flags: FlagValues) -> bool {
        let policy = flags.mode.map(|mode| Policy { mode, ..self.base.policy });
        flags.verbosest().is_none_or(|level| level >= self.verbosest)
            && policy.is_none_or(|policy| self.may_record || policy.is_off())
            && policy.is_none_or(|policy| self.may_send || !policy.has_sentry())
    }

    /// The most that any response's record shows, whatever overrides a part of the process has: they can only be for less.
    #[must_use]
    pub fn most_response_body(&self) -> ResponseLog {
        self.base.response_body
    }

    /// The values in effect for a record of this request, made by this module, that is no logger line.
    #[inline]
    #[must_use]
    pub fn in_force_of(&self, request: Option<&RequestIdentity>, target: &str) -> InForce {
        let has_own_values = request.is_some_and(RequestIdentity::has_own_values);
        // So it is for all but a few requests, and the rest takes longer.
        if self.is_uniform() && !has_own_values {
            return self.base;
        }
        let scoped = self.scoped();
        if !has_own_values && !scoped.iter().any(|it| it.scope.applies_to_request(request, target)) {
            return self.base;
        }
        self.in_force(&Origin::new(request, target))
    }

    /// The values in effect for a record: the settings', then those of flags, then overrides from the widest scope to the
    /// narrowest, then the level of a debug token or of a flag.
    ///
    /// A module with a level of its own (`log.levels`) has that for its lines, whatever `log.level` is for their request; an
    /// override of that module, or of the route of their request after one, is stronger.
    #[must_use]
    pub fn in_force(&self, origin: &Origin<'_>) -> InForce {
        let mut in_force = self.base;
        let scoped = self.scoped();
        if origin.flag_mode.is_some() || origin.flag_level.is_some() {
            let mut by_flags = self.below_overrides;
            by_flags.apply_flags(origin.flag_mode, origin.flag_level);
            in_force = with_overrides(by_flags, &self.overrides[..self.first_scoped]);
        }
        if self.is_uniform() && !origin.is_line && origin.debug.is_none() {
            return in_force;
        }
        let mut level = in_force.policy.level;
        let mut own = if origin.is_line { self.levels.of(origin.target) } else { None };
        let mut own_is_of_override = false;
        for it in scoped.iter().filter(|it| it.scope.applies_to(origin)) {
            in_force.apply(&it.set);
            let is_of_module = matches!(it.scope, OverrideScope::Module(_));
            match it.set.level {
                Some(of_module) if is_of_module => (own, own_is_of_override) = (Some(of_module), true),
                Some(of_requests) => {
                    level = of_requests;
                    if own_is_of_override {
                        own = None;
                    }
                }
                None => {}
            }
            let set = it.set.levels.iter().filter(|(module, _)| origin.is_line && is_inside(origin.target, module));
            if let Some((_, of_module)) = set.max_by_key(|(module, _)| module.len()) {
                (own, own_is_of_override) = (Some(*of_module), true);
            }
        }
        let general = if origin.is_line { levels::general(origin.target, level) } else { level };
        in_force.policy.level = own.unwrap_or(general);
        if let Some(debug) = origin.debug {
            in_force.policy.level = in_force.policy.level.min(debug);
            in_force.policy.breadcrumb_level = in_force.policy.breadcrumb_level.min(debug);
        }
        in_force
    }

    /// The value in effect of each of these keys, where an override of this scope applies.
    #[must_use]
    pub fn values(&self, keys: &LiveValues, scope: &OverrideScope) -> Map<String, Value> {
        let example = scope.example();
        let level = |module: &String| (module.clone(), self.module_level(module, &example));
        let levels = keys.levels.keys().map(level).collect();
        let mut values = self.in_force(&example).live(levels).to_json();
        let wanted = keys.to_json();
        values.retain(|key, _| wanted.contains_key(key));
        values
    }

    fn module_level(&self, module: &str, example: &Origin<'_>) -> Level {
        self.in_force(&Origin { target: module, is_line: true, ..*example }).policy.level
    }

    /// The snapshot as the management API shows it.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let overrides: Vec<_> = self.overrides.iter().map(Override::to_json).collect();
        let mut map = Map::new();
        map.insert("version".to_owned(), self.version.into());
        map.insert("fleet_version".to_owned(), json!(self.fleet_version));
        map.insert("configured".to_owned(), self.configured.live.to_json().into());
        map.insert("effective".to_owned(), self.process.to_json().into());
        map.insert("overrides".to_owned(), json!(overrides));
        map
    }
}

/// These values with overrides of the whole process.
fn with_overrides(mut in_force: InForce, of_process: &[Override]) -> InForce {
    for Override { set, .. } in of_process {
        in_force.apply(set);
        in_force.policy.level = set.level.unwrap_or(in_force.policy.level);
    }
    in_force
}
