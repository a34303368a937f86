//! The settings of telemetry: `env`, `log.*` and `sentry.*`. They are declared and checked in every build, whatever its sinks.

mod env;
mod log;
mod rust_log;
mod sentry;

use cyanotype_settings::section;

pub use env::Env;
pub use log::{
    Flood, Format, Log, MIN_DEBUG_KEY_BYTES, Mode, OnFailure, Redact, Request, Response, ResponseLog, Stderr,
    forget_rust_log,
};
pub use sentry::Sentry;

section! {
    /// The settings of telemetry.
    pub struct Settings {
        /// where the service runs
        #[setting(section)]
        pub env: Env,
        /// what is recorded, and how
        #[setting(section)]
        pub log: Log,
        /// Sentry
        #[setting(section)]
        pub sentry: Sentry,
    }
}
