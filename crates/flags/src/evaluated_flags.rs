//! The values of the flags.

use cyanotype_telemetry::Level;
use cyanotype_telemetry::settings::Mode;

/// The values of the flags; unset by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EvaluatedFlags {
    /// `log-mode` (string): replaces the setting `log.mode`.
    pub mode: Option<Mode>,
    /// `log-level` (string): replaces the setting `log.level`.
    pub level: Option<Level>,
    /// `log-debug-request` (boolean): whether to log the request at debug.
    pub debug: bool,
}
