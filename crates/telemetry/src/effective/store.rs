//! Where the effective policy is changed.

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
use super::origin::Origin;
use super::overrides::{Override, OverrideScope};
use super::snapshot::{Configured, Snapshot};
use crate::flag_values::FlagValues;
use crate::settings::Settings;

/// The most overrides of one process, and the most that a fleet shares.
pub const MAX_OVERRIDES: usize = 64;

/// Why a change of the overrides is refused. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The caller has seen another version.
    #[error("the version is {current}, not {expected}; read it again with GET /log")]
    VersionMismatch {
        /// The version that there is.
        current: u64,
        /// The version that the caller has seen.
        expected: u64,
    },
    /// There are [`MAX_OVERRIDES`] already.
    #[error("there are {MAX_OVERRIDES} overrides already; clear one first")]
    TooMany,
}

/// What setting an override has done.
#[derive(Debug)]
pub struct SetOutcome {
    /// Whether there was none of its id.
    pub created: bool,
    /// The change, for the audit.
    pub change: PolicyChange,
}

/// The effective policy of a process.
#[derive(Debug)]
pub struct EffectivePolicy {
    /// Differs from that of any other one in the process.
    id: u64,
    current: ArcSwap<Snapshot>,
    /// That of the current snapshot: a request compares it with the one that it has, which is cheaper than to load.
    version: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    version: u64,
    fleet_version: Option<u64>,
    configured: Configured,
    overrides: Vec<Override>,
}

/// The snapshot of a moment.
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
        Snapshot::new(self.version, self.fleet_version, self.configured.clone(), self.overrides.clone())
    }

    fn position(&self, id: &str, fleet: bool) -> Option<usize> {
        self.overrides.iter().position(|it| it.id == id && it.fleet == fleet)
    }

    /// Puts an override in its place. One that repeats what is there keeps its rank among those of its scope.
    fn put(&mut self, mut new: Override) -> Option<Override> {
        match self.position(&new.id, new.fleet) {
            Some(at) => {
                if new.repeats(&self.overrides[at]) {
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
    /// The policy of these settings, at version 1.
    #[must_use]
    pub fn new(settings: &Settings, has_event_sink: bool) -> Self {
        let configured = Configured {
            env: settings.env,
            live: LiveSettings::from(settings),
            has_event_sink,
            on_failure: settings.log.on_failure.level(),
            flags: None,
        };
        let state = State { version: 1, fleet_version: None, configured, overrides: Vec::new() };
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            current: ArcSwap::from_pointee(state.snapshot()),
            version: AtomicU64::new(state.version),
            state: Mutex::new(state),
        }
    }

    /// The version of this moment, for one record or a few that belong together.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The version of this moment, to be stored.
    #[must_use]
    pub fn load_full(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The version of this moment, to be stored: at the price of a comparison, unless it has changed since this thread's last
    /// call.
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

    /// The version of this moment, which is `known` in all but a few cases.
    #[inline]
    pub(crate) fn load_or<'a>(&self, known: &'a Snapshot) -> Current<'a> {
        if self.version.load(Ordering::Acquire) == known.version {
            Current::Known(known)
        } else {
            Current::Loaded(self.load())
        }
    }

    /// Sets an override of this process, or refuses to. `expected` is the version that the caller has seen.
    ///
    /// # Errors
    /// When the version is another one, or there are too many overrides.
    pub fn set(&self, new: &Override, expected: Option<u64>) -> Result<SetOutcome, Refused> {
        let mut state = self.state.lock();
        state.check(new, expected)?;
        Ok(self.put(&mut state, new))
    }

    /// The snapshots before and after an override would be set.
    ///
    /// # Errors
    /// When it would be refused.
    pub fn preview(&self, new: Override, expected: Option<u64>) -> Result<(Arc<Snapshot>, Snapshot), Refused> {
        let state = self.state.lock();
        state.check(&new, expected)?;
        let mut after = State { configured: state.configured.clone(), overrides: state.overrides.clone(), ..*state };
        after.put(new);
        Ok((self.load_full(), after.snapshot()))
    }

    /// Removes an override of this process. `None` when there is none of this id.
    ///
    /// # Errors
    /// When the version is another one.
    pub fn clear(
        &self,
        id: &str,
        expected: Option<u64>,
        by: &str,
        source: Source,
        reason: &str,
    ) -> Result<Option<PolicyChange>, Refused> {
        let mut state = self.state.lock();
        state.check_version(expected)?;
        let Some(at) = state.position(id, false) else { return Ok(None) };
        let change = self.remove(&mut state, at, Action::Cleared);
        Ok(Some(PolicyChange { by: by.to_owned(), source, reason: reason.to_owned(), ..change }))
    }

    /// Removes the overrides that have expired by now.
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

    /// Replaces the overrides that the fleet shares. Each one that came, changed or went is a change of its own. One that went
    /// was cleared by whom `cleared_by` names for its id, or has expired by its own deadline.
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
            if old.is_none_or(|old| !old.repeats(&new) || old.until != new.until) {
                changes.push(self.put(&mut state, &new).change);
            }
        }
        if changes.is_empty() && self.load().fleet_version != version {
            // Not a change of what is recorded.
            self.current.store(Arc::new(state.snapshot()));
        }
        changes
    }

    /// Applies settings that were read again. Returns the live keys that changed, with their values before and after.
    pub fn reconfigure(&self, settings: &Settings) -> (LiveSettings, LiveSettings) {
        let mut state = self.state.lock();
        let before = state.configured.live.clone();
        let after = LiveSettings::from(settings);
        if before != after {
            state.configured.live = after.clone();
            self.publish(&mut state);
        }
        (before, after)
    }

    /// Sets the flags of the process, and with that says that there is a flag system: from then on each request may have flags
    /// of its own. `by` names it. `None` when the values are those that there are.
    pub fn set_flags(&self, values: FlagValues, by: &str) -> Option<PolicyChange> {
        let mut state = self.state.lock();
        let old = state.configured.flags;
        if old.is_some_and(|old| old.process == values) {
            return None;
        }
        let before = self.load_full();
        let old = old.unwrap_or_default();
        state.configured.flags = Some(Flags { process: values, ..old });
        let after = self.publish(&mut state);
        drop(state);
        let flags = |values: FlagValues| LiveValues { mode: values.mode, level: values.level, ..LiveValues::default() };
        let shown = |snapshot: &Snapshot| {
            let mut shown = snapshot.values(&flags(old.process), &OverrideScope::Process);
            shown.extend(snapshot.values(&flags(values), &OverrideScope::Process));
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

    /// Makes sure that a record of a request with these flags can reach its sinks. It stays so: the next one may come soon.
    pub(crate) fn admit(&self, values: FlagValues) {
        let mut state = self.state.lock();
        let current = self.load_full();
        if !current.admits(values) {
            let flags = state.configured.flags.unwrap_or_default();
            state.configured.flags = Some(flags.with(values, current.policy()));
            self.publish(&mut state);
        }
    }

    /// Puts an override in its place, in force at once.
    fn put(&self, state: &mut State, new: &Override) -> SetOutcome {
        let before = self.load_full();
        let old = state.put(new.clone());
        let after = self.publish(state);
        let repeats = old.as_ref().is_some_and(|old| new.repeats(old));
        let action = if repeats { Action::Extended } else { Action::Set };
        SetOutcome { created: old.is_none(), change: of_override(action, new, old.as_ref(), &before, &after) }
    }

    /// Removes the override at this place, at once.
    fn remove(&self, state: &mut State, at: usize, action: Action) -> PolicyChange {
        let before = self.load_full();
        let old = state.overrides.remove(at);
        let after = self.publish(state);
        of_override(action, &old, None, &before, &after)
    }

    /// Makes the state the one that decides, with the next version.
    fn publish(&self, state: &mut State) -> Arc<Snapshot> {
        state.version += 1;
        let snapshot = Arc::new(state.snapshot());
        self.current.store(Arc::clone(&snapshot));
        self.version.store(state.version, Ordering::Release);
        snapshot
    }
}

impl State {
    /// Whether an override may be set.
    fn check(&self, new: &Override, expected: Option<u64>) -> Result<(), Refused> {
        self.check_version(expected)?;
        let is_new = self.position(&new.id, new.fleet).is_none();
        let is_full = self.overrides.iter().filter(|it| it.fleet == new.fleet).count() >= MAX_OVERRIDES;
        if is_new && is_full { Err(Refused::TooMany) } else { Ok(()) }
    }

    fn check_version(&self, expected: Option<u64>) -> Result<(), Refused> {
        match expected {
            Some(expected) if expected != self.version => {
                Err(Refused::VersionMismatch { current: self.version, expected })
            }
            _ => Ok(()),
        }
    }
}

/// The change that an override made, with the values where it applies: of the keys that it sets, and of those that the one
/// before it set.
fn of_override(
    action: Action,
    it: &Override,
    old: Option<&Override>,
    before: &Snapshot,
    after: &Snapshot,
) -> PolicyChange {
    let values = |snapshot: &Snapshot| {
        let mut values = Map::new();
        for it in old.into_iter().chain([it]) {
            values.extend(snapshot.values(&it.set, &it.scope));
        }
        values
    };
    let is_off = |snapshot: &Snapshot, scope: &OverrideScope| snapshot.in_force(&scope.example()).policy.is_off();
    let is_off = |snapshot: &Snapshot| {
        snapshot.in_force(&Origin::default()).policy.is_off()
            && is_off(snapshot, &it.scope)
            && old.is_none_or(|old| is_off(snapshot, &old.scope))
    };
    PolicyChange {
        id: Some(it.id.clone()),
        before: values(before),
        after: values(after),
        until: matches!(action, Action::Set | Action::Extended).then_some(it.until),
        more: scope_json(&it.scope, it.fleet),
        off_before: is_off(before),
        off_after: is_off(after),
        ..PolicyChange::new(action, it.by.as_str(), it.source, it.reason.as_str())
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

/// The live settings that differ, as values before and after.
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
