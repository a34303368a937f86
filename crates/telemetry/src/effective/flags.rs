//! The feature flags of a process.

use crate::flag_values::FlagValues;
use crate::level::Level;
use crate::policy::Policy;

/// The flags of a process, and what the flags of its requests require, which is known only once they are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    /// The values for the process.
    pub process: FlagValues,
    /// The lowest level that a request's flags have set.
    pub min_level: Option<Level>,
    /// Whether a request's flags have set a mode that writes records.
    pub may_record: bool,
    /// Whether a request's flags have set a mode that sends events.
    pub event_sinks_active: bool,
}

impl Flags {
    /// Adds the requirements of a request with these values.
    pub(super) fn with_request(self, values: FlagValues, base: Policy) -> Self {
        let policy = values.mode.map(|mode| Policy { mode, ..base });
        Self {
            min_level: self.min_level.into_iter().chain(values.min_level()).min(),
            may_record: self.may_record || policy.is_some_and(|policy| !policy.is_off()),
            event_sinks_active: self.event_sinks_active || policy.is_some_and(|policy| policy.has_sentry()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
