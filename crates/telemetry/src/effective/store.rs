//! The effective policy of a process, and its changes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use serde_json::Map;

use super::change::{Action, PolicyChange, Source};
use super::flags::Flags;
use super::live::{LiveSettings, LiveValues};
use super::origin::RecordOrigin;
use super::overrides::{Override, OverrideScope};
use super::snapshot::{PolicyInputs, Snapshot};
use crate::flag_values::FlagValues;
use crate::settings::Settings;

/// Maximum number of overrides of a process, and of a fleet.
pub const MAX_OVERRIDES: usize = 64;

/// Why a change of an override was refused. The policy is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// The version that the caller expected is not the current one.
    #[error(
        "version conflict: expected {expected}, current version is {current}; get the current version with GET /log and retry"
    )]
    VersionMismatch {
        /// The current version.
        current: u64,
        /// The version that the caller expected.
        expected: u64,
    },
    /// There are already [`MAX_OVERRIDES`] overrides.
    #[error("limit of {MAX_OVERRIDES} overrides reached; clear one first")]
    TooMany,
}

/// The result of setting an override.
#[derive(Debug)]
pub struct SetOutcome {
    /// Whether the override is new, rather than a replacement of one with the same id.
    pub created: bool,
    /// The change, for the audit log.
    pub change: PolicyChange,
}

/// The effective policy of a process.
#[derive(Debug)]
pub struct EffectivePolicy {
    /// Unique within the process; identifies the policy in thread-local caches.
    id: u64,
    current: ArcSwap<Snapshot>,
    /// The version of the current snapshot. Comparing it is cheaper than loading the snapshot.
    version: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    version: u64,
    fleet_version: Option<u64>,
    inputs: PolicyInputs,
    overrides: Vec<Override>,
}

/// The current snapshot.
pub(crate) enum Current<'a> {
    Known(&'a Snapshot),
    Loaded(Guard<Arc<Snapshot>>),
}

impl Deref for Current<'_> {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        match self {
            Self::Known(snapshot) => snapshot,
            Self::Loaded(snapshot) => snapshot,
        }
    }
}

impl State {
    fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.version, self.fleet_version, self.inputs.clone(), self.overrides.clone())
    }

    fn position(&self, id: &str, fleet: bool) -> Option<usize> {
        self.overrides.iter().position(|it| it.id == id && it.fleet == fleet)
    }

    /// Adds or replaces an override. One that equals the existing override keeps its position within its scope.
    fn put(&mut self, mut new: Override) -> Option<Override> {
        match self.position(&new.id, new.fleet) {
            Some(at) => {
                if new.has_same_effect(&self.overrides[at]) {
                    new.set_at = self.overrides[at].set_at;
                }
                Some(std::mem::replace(&mut self.overrides[at], new))
            }
            None => {
                self.overrides.push(new);
                None
            }
        }
    }
}

impl EffectivePolicy {
    /// Creates the policy for these settings, with version 1.
    #[must_use]
    pub fn new(settings: &Settings, has_event_sink: bool) -> Self {
        let inputs = PolicyInputs {
            env: settings.env,
            live: LiveSettings::from(settings),
            has_event_sink,
            logs: settings.sentry.logs,
            on_failure: settings.log.on_failure.level(),
            flags: None,
        };
        let state = State { version: 1, fleet_version: None, inputs, overrides: Vec::new() };
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            current: ArcSwap::from_pointee(state.snapshot()),
            version: AtomicU64::new(state.version),
            state: Mutex::new(state),
        }
    }

    /// The current snapshot, for short use such as routing one record.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The current snapshot, to be stored.
    #[must_use]
    pub fn load_full(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The current snapshot, to be stored. Costs one comparison unless the policy has changed since the last call on this thread.
    #[must_use]
    pub(crate) fn load_cached(&self) -> Arc<Snapshot> {
        thread_local! {
            static LAST: RefCell<Option<(u64, Arc<Snapshot>)>> = const { RefCell::new(None) };
        }
        LAST.with_borrow_mut(|last| match last {
            Some((policy, snapshot))
                if *policy == self.id && snapshot.version == self.version.load(Ordering::Acquire) =>
            {
                Arc::clone(snapshot)
            }
            _ => {
                let snapshot = self.load_full();
                *last = Some((self.id, Arc::clone(&snapshot)));
                snapshot
            }
        })
    }

    /// The current snapshot, which is usually `known`.
    #[inline]
    pub(crate) fn load_or<'a>(&self, known: &'a Snapshot) -> Current<'a> {
        if self.version.load(Ordering::Acquire) == known.version {
            Current::Known(known)
        } else {
            Current::Loaded(self.load())
        }
    }

    /// Sets an override of this process. If `expected` is given, it must be the current version.
    ///
    /// # Errors
    /// If the version differs or the limit of overrides is reached.
    pub fn set(&self, new: &Override, expected: Option<u64>) -> Result<SetOutcome, OverrideError> {
        let mut state = self.state.lock();
        state.check(new, expected)?;
        Ok(self.put(&mut state, new))
    }

    /// Returns the snapshots before and after setting an override, without setting it.
    ///
    /// # Errors
    /// If [`Self::set`] would refuse it.
    pub fn preview(&self, new: Override, expected: Option<u64>) -> Result<(Arc<Snapshot>, Snapshot), OverrideError> {
        let state = self.state.lock();
        state.check(&new, expected)?;
        let mut after = State { inputs: state.inputs.clone(), overrides: state.overrides.clone(), ..*state };
        after.put(new);
        Ok((self.load_full(), after.snapshot()))
    }

    /// Removes an override of this process. Returns `None` if there is none with this id.
    ///
    /// # Errors
    /// If the version differs from `expected`.
    pub fn clear(
        &self,
        id: &str,
        expected: Option<u64>,
        by: &str,
        source: Source,
        reason: &str,
    ) -> Result<Option<PolicyChange>, OverrideError> {
        let mut state = self.state.lock();
        state.check_version(expected)?;
        let Some(at) = state.position(id, false) else { return Ok(None) };
        let change = self.remove(&mut state, at, Action::Cleared);
        Ok(Some(PolicyChange { by: by.to_owned(), source, reason: reason.to_owned(), ..change }))
    }

    /// Removes the overrides that have expired at `now`.
    pub fn expire(&self, now: Instant) -> Vec<PolicyChange> {
        let mut changes = Vec::new();
        let mut state = self.state.lock();
        while let Some(at) = state.overrides.iter().position(|it| it.deadline <= now) {
            changes.push(self.remove(&mut state, at, Action::Expired));
        }
        changes
    }

    /// When the next override expires.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Instant> {
        self.state.lock().overrides.iter().map(|it| it.deadline).min()
    }

    /// Replaces the fleet overrides. Returns one change for each override that was added, changed or removed. `cleared_by`
    /// contains, by id, who removed an override; a removed override without an entry has expired if its deadline has passed,
    /// otherwise it counts as cleared.
    pub fn set_fleet(
        &self,
        version: Option<u64>,
        overrides: Vec<Override>,
        cleared_by: &BTreeMap<String, String>,
    ) -> Vec<PolicyChange> {
        let mut changes = Vec::new();
        let mut state = self.state.lock();
        state.fleet_version = version;
        let is_gone = |it: &Override| it.fleet && overrides.iter().all(|new| new.id != it.id);
        while let Some(at) = state.overrides.iter().position(is_gone) {
            let old = &state.overrides[at];
            let cleared_by = cleared_by.get(&old.id);
            let has_expired = cleared_by.is_none() && old.deadline <= Instant::now();
            let action = if has_expired { Action::Expired } else { Action::Cleared };
            let change = self.remove(&mut state, at, action);
            let by = cleared_by.cloned().unwrap_or_else(|| change.by.clone());
            changes.push(PolicyChange { by, source: Source::Fleet, ..change });
        }
        for new in overrides {
            let old = state.position(&new.id, true).map(|at| &state.overrides[at]);
            if old.is_none_or(|old| !old.has_same_effect(&new) || old.until != new.until) {
                changes.push(self.put(&mut state, &new).change);
            }
        }
        if changes.is_empty() && self.load().fleet_version != version {
            // Only the fleet version differs: the process version stays, since no record is affected.
            self.current.store(Arc::new(state.snapshot()));
        }
        changes
    }

    /// Applies reloaded settings. Returns the live settings before and after.
    pub fn reconfigure(&self, settings: &Settings) -> (LiveSettings, LiveSettings) {
        let mut state = self.state.lock();
        let before = state.inputs.live.clone();
        let after = LiveSettings::from(settings);
        if before != after {
            state.inputs.live = after.clone();
            self.publish(&mut state);
        }
        (before, after)
    }

    /// Sets the flags of the process. From the first call on, requests may have their own flags. `by` is the name of the flag
    /// provider. Returns `None` if the values are unchanged.
    pub fn set_flags(&self, values: FlagValues, by: &str) -> Option<PolicyChange> {
        let mut state = self.state.lock();
        let old = state.inputs.flags;
        if old.is_some_and(|old| old.process == values) {
            return None;
        }
        let before = self.load_full();
        let old = old.unwrap_or_default();
        state.inputs.flags = Some(Flags { process: values, ..old });
        let after = self.publish(&mut state);
        drop(state);
        let flags = |values: FlagValues| LiveValues { mode: values.mode, level: values.level, ..LiveValues::default() };
        let shown = |snapshot: &Snapshot| {
            let mut shown = snapshot.values_in_scope(&flags(old.process), &OverrideScope::Process);
            shown.extend(snapshot.values_in_scope(&flags(values), &OverrideScope::Process));
            shown
        };
        (old.process != values).then(|| PolicyChange {
            before: shown(&before),
            after: shown(&after),
            off_before: before.policy().is_off(),
            off_after: after.policy().is_off(),
            ..PolicyChange::new(Action::Flag, by, Source::Flag, "")
        })
    }

    /// Activates the sinks and the `tracing` filter that a request with these flags needs. They remain active, since similar
    /// requests are likely to follow.
    pub(crate) fn add_support(&self, values: FlagValues) {
        let mut state = self.state.lock();
        let current = self.load_full();
        if !current.supports(values) {
            let flags = state.inputs.flags.unwrap_or_default();
            state.inputs.flags = Some(flags.with_request(values, current.policy()));
            self.publish(&mut state);
        }
    }

    /// Adds or replaces an override and publishes the result.
    fn put(&self, state: &mut State, new: &Override) -> SetOutcome {
        let before = self.load_full();
        let old = state.put(new.clone());
        let after = self.publish(state);
        let repeats = old.as_ref().is_some_and(|old| new.has_same_effect(old));
        let action = if repeats { Action::Extended } else { Action::Set };
        SetOutcome { created: old.is_none(), change: override_change(action, new, old.as_ref(), &before, &after) }
    }

    /// Removes the override at an index and publishes the result.
    fn remove(&self, state: &mut State, at: usize, action: Action) -> PolicyChange {
        let before = self.load_full();
        let old = state.overrides.remove(at);
        let after = self.publish(state);
        override_change(action, &old, None, &before, &after)
    }

    /// Publishes the state as the current snapshot, with the next version.
    fn publish(&self, state: &mut State) -> Arc<Snapshot> {
        state.version += 1;
        let snapshot = Arc::new(state.snapshot());
        self.current.store(Arc::clone(&snapshot));
        self.version.store(state.version, Ordering::Release);
        snapshot
    }
}

impl State {
    /// Checks that an override may be set.
    fn check(&self, new: &Override, expected: Option<u64>) -> Result<(), OverrideError> {
        self.check_version(expected)?;
        let is_new = self.position(&new.id, new.fleet).is_none();
        let is_full = self.overrides.iter().filter(|it| it.fleet == new.fleet).count() >= MAX_OVERRIDES;
        if is_new && is_full { Err(OverrideError::TooMany) } else { Ok(()) }
    }

    fn check_version(&self, expected: Option<u64>) -> Result<(), OverrideError> {
        match expected {
            Some(expected) if expected != self.version => {
                Err(OverrideError::VersionMismatch { current: self.version, expected })
            }
            _ => Ok(()),
        }
    }
}

/// The change made by an override. Its values are those of the keys that it or its predecessor sets, in the scope of each.
fn override_change(
    action: Action,
    target: &Override,
    old: Option<&Override>,
    before: &Snapshot,
    after: &Snapshot,
) -> PolicyChange {
    let values = |snapshot: &Snapshot| {
        let mut values = Map::new();
        for changed in old.into_iter().chain([target]) {
            values.extend(snapshot.values_in_scope(&changed.set, &changed.scope));
        }
        values
    };
    let is_off_in = |snapshot: &Snapshot, scope: &OverrideScope| snapshot.values_for(&scope.example()).policy.is_off();
    let is_off = |snapshot: &Snapshot| {
        snapshot.values_for(&RecordOrigin::default()).policy.is_off()
            && is_off_in(snapshot, &target.scope)
            && old.is_none_or(|old| is_off_in(snapshot, &old.scope))
    };
    PolicyChange {
        id: Some(target.id.clone()),
        before: values(before),
        after: values(after),
        until: matches!(action, Action::Set | Action::Extended).then_some(target.until),
        more: scope_json(&target.scope, target.fleet),
        off_before: is_off(before),
        off_after: is_off(after),
        ..PolicyChange::new(action, target.by.as_str(), target.source, target.reason.as_str())
    }
}

fn scope_json(scope: &OverrideScope, fleet: bool) -> Map<String, serde_json::Value> {
    let mut more = Map::new();
    if let Some((key, name)) = scope.key_value() {
        more.insert(key.to_owned(), name.into());
    }
    if fleet {
        more.insert("fleet".to_owned(), true.into());
    }
    more
}

/// The live settings that differ, with their values before and after.
#[must_use]
pub(crate) fn differences(before: &LiveSettings, after: &LiveSettings) -> [Map<String, serde_json::Value>; 2] {
    let (mut before, mut after) = (before.to_json(), after.to_json());
    let same: Vec<String> =
        before.iter().filter(|(key, value)| after.get(*key) == Some(value)).map(|(key, _)| key.clone()).collect();
    for key in same {
        before.remove(&key);
        after.remove(&key);
    }
    [before, after]
}
