//! The minimum level of the `tracing` subscriber.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::level::{AtomicLevel, Level};

/// The minimum level of the `tracing` subscriber: the lowest of the effective policy's level and the levels of the requests
/// that a debug token or a flag makes more verbose.
#[derive(Debug)]
pub(crate) struct Filter {
    current: AtomicLevel,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    policy_level: Level,
    /// The number of more verbose requests in flight at each level, in the order of [`Level::ALL`].
    requests: [usize; Level::ALL.len()],
}

impl Filter {
    pub(crate) fn new(policy_level: Level) -> Arc<Self> {
        let state = State { policy_level, requests: [0; Level::ALL.len()] };
        Arc::new(Self { current: AtomicLevel::new(policy_level), state: Mutex::new(state) })
    }

    pub(crate) fn load(&self) -> Level {
        self.current.load()
    }

    /// Sets the level of the effective policy.
    pub(crate) fn set_policy_level(&self, level: Level) {
        let mut state = self.state.lock();
        state.policy_level = level;
        self.refresh(&state);
    }

    fn refresh(&self, state: &State) {
        let lowest = Level::ALL.into_iter().zip(state.requests).find(|(_, requests)| *requests > 0);
        let level = lowest.map_or(state.policy_level, |(level, _)| level.min(state.policy_level));
        if level != self.current.load() {
            self.current.store(level);
            // Each call site queries the subscriber again and caches the result, so that a disabled line costs one comparison.
            tracing::callsite::rebuild_interest_cache();
        }
    }

    /// Lowers the filter to a level, unless it is lower already: lines of at least this level pass while the returned guard
    /// exists.
    pub(crate) fn lower_to(self: &Arc<Self>, level: Level) -> VerbosityGuard {
        let mut state = self.state.lock();
        state.requests[level as usize] += 1;
        self.refresh(&state);
        VerbosityGuard { filter: Arc::clone(self), level }
    }
}

/// Keeps the filter more verbose for a request until it is dropped.
#[derive(Debug)]
pub(crate) struct VerbosityGuard {
    filter: Arc<Filter>,
    level: Level,
}

impl Drop for VerbosityGuard {
    fn drop(&mut self) {
        let mut state = self.filter.state.lock();
        state.requests[self.level as usize] -= 1;
        self.filter.refresh(&state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_passes_the_most_verbose_of_policy_and_requests() {
        let filter = Filter::new(Level::Info);
        let debug = filter.lower_to(Level::Debug);
        let trace = filter.lower_to(Level::Trace);
        let other = filter.lower_to(Level::Trace);
        assert_eq!(filter.load(), Level::Trace);
        drop(trace);
        assert_eq!(filter.load(), Level::Trace);
        drop(other);
        assert_eq!(filter.load(), Level::Debug);
        filter.set_policy_level(Level::Error);
        assert_eq!(filter.load(), Level::Debug);
        drop(debug);
        assert_eq!(filter.load(), Level::Error);
        let quiet = filter.lower_to(Level::Critical);
        assert_eq!(filter.load(), Level::Error, "a request never makes the filter less verbose");
        drop(quiet);
    }
}
