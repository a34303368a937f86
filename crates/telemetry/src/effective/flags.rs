//! The flags of a process.

use crate::flag_values::FlagValues;
use crate::level::Level;
use crate::policy::Policy;

/// The flags of a process, and what those of its requests have needed so far: that is known only when they are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    /// For the whole process.
    pub process: FlagValues,
    /// The lowest level of a request.
    pub verbosest: Option<Level>,
    /// Whether a request had a mode that records something.
    pub records: bool,
    /// Whether a request had a mode with event sinks.
    pub sends: bool,
}

impl Flags {
    /// The same, with what these values of a request need.
    pub(super) fn with(self, values: FlagValues, base: Policy) -> Self {
        let policy = values.mode.map(|mode| Policy { mode, ..base });
        Self {
            verbosest: self.verbosest.into_iter().chain(values.verbosest()).min(),
            records: self.records || policy.is_some_and(|policy| !policy.is_off()),
            sends: self.sends || policy.is_some_and(|policy| policy.has_sentry()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
