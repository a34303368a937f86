//! What flags set.

use cyanotype_telemetry::Level;
use cyanotype_telemetry::settings::Mode;

/// What the flags set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EvaluatedFlags {
    /// `log-mode`, a text: instead of the setting `log.mode`.
    pub mode: Option<Mode>,
    /// `log-level`, a text: instead of the setting `log.level`.
    pub level: Option<Level>,
    /// `log-debug-request`, true or false: whether the request is recorded at debug.
    pub debug: bool,
}
