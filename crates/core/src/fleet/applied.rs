//! The fleet overrides that this process has applied.

use std::time::{Duration, Instant};

use cyanotype_telemetry::Pipeline;
use cyanotype_telemetry::effective::Override;

use super::table::SharedOverrides;

pub(super) struct AppliedOverrides {
    pipeline: &'static Pipeline,
    /// `None` before the first poll.
    version: Option<u64>,
    /// The overrides, with the deadlines from their first read, until their rows are deleted.
    known: Vec<Override>,
}

impl AppliedOverrides {
    pub(super) const fn new(pipeline: &'static Pipeline) -> Self {
        Self { pipeline, version: None, known: Vec::new() }
    }

    pub(super) const fn version(&self) -> Option<u64> {
        self.version
    }

    /// Whether there are overrides, including expired ones whose rows remain.
    pub(super) fn has_rows(&self) -> bool {
        !self.known.is_empty()
    }

    /// Removes the overrides that expired at least this long ago, whose rows are deleted.
    pub(super) fn remove_ended(&mut self, ago: Duration) {
        let now = Instant::now();
        self.known.retain(|it| now.saturating_duration_since(it.deadline) < ago);
    }

    pub(super) fn apply(&mut self, shared: SharedOverrides) {
        let SharedOverrides { version, mut overrides, cleared_by } = shared;
        for new in &mut overrides {
            let is_same = |old: &&Override| (&old.id, old.set_at, old.until) == (&new.id, new.set_at, new.until);
            if let Some(old) = self.known.iter().find(is_same) {
                // Never later than before: an expired override must not become active again.
                new.deadline = new.deadline.min(old.deadline);
            }
        }
        let now = Instant::now();
        let active = overrides.iter().filter(|it| it.deadline > now).cloned().collect();
        self.known = overrides;
        self.version = Some(version);
        self.pipeline.set_fleet_overrides((version > 0).then_some(version), active, &cleared_by);
    }
}
