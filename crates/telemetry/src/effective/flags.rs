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
    pub min_level: Option<Level>,
    /// Whether a request had a mode that records something.
    pub may_record: bool,
    /// Whether a request had a mode with event sinks.
    pub may_send: bool,
}

impl Flags {
    /// The same, with what these values of a request need.
    pub(super) fn with_request(self, values: FlagValues, base: Policy) -> Self {
        let policy = values.mode.map(|mode| Policy { mode, ..base });
        Self {
            min_level: self.min_level.into_iter().chain(values.min_level()).min(),
            may_record: self.may_record || policy.is_some_and(|policy| !policy.is_silent()),
            may_send: self.may_send || policy.is_some_and(|policy| policy.has_sentry()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
