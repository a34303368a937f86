//! The settings `env`, `log.*` and `sentry.*`. They are declared and validated in every build, including one without Sentry.

mod env;
mod lines;
mod log;
mod redact;
mod rust_log;
mod sentry;
mod sentry_names;

use cyanotype_settings::section;

pub use env::Env;
pub use lines::{ClientTextLimits, LevelNames, LineSettings, PriorityPrefix, Schema};
pub use log::{
    Color, FloodSettings, LogFormat, LogSettings, MIN_DEBUG_KEY_BYTES, Mode, OnFailureSettings, RequestLogSettings,
    ResponseLog, ResponseLogSettings, StderrSettings, remove_rust_log_level,
};
pub use redact::{PatternSettings, RedactSettings};
pub use sentry::SentrySettings;

section! {
    /// The settings of telemetry.
    pub struct Settings {
        /// environment
        #[setting(section)]
        pub env: Env,
        /// logging
        #[setting(section)]
        pub log: LogSettings,
        /// Sentry
        #[setting(section)]
        pub sentry: SentrySettings,
    }
}
