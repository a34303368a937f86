//! Severity levels.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::{Deserialize, Serialize};

/// The severity of a record, in ascending order.
///
/// `warning` and `error` are tracing's `WARN` and `ERROR`; `critical` is written with
/// [`critical!`](crate::critical). As a threshold, a level admits itself and all levels above it.
///
/// ```
/// use cyanotype_telemetry::Level;
/// assert!(Level::Critical > Level::Error);
/// assert_eq!("warning".parse(), Ok(Level::Warning));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Fine-grained tracing of each step.
    Trace,
    /// Details for debugging.
    Debug,
    /// Normal operation.
    Info,
    /// An unexpected condition that was handled.
    Warning,
    /// A failure.
    Error,
    /// A failure that threatens the whole service.
    Critical,
}

impl Level {
    /// All levels, lowest first.
    pub const ALL: [Level; 6] =
        [Level::Trace, Level::Debug, Level::Info, Level::Warning, Level::Error, Level::Critical];
    /// The names of [`Level::ALL`], in the same order.
    pub const NAMES: [&str; 6] = ["trace", "debug", "info", "warning", "error", "critical"];

    /// The name in settings and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
            Level::Critical => "critical",
        }
    }

    /// The least verbose `tracing` filter that admits this level.
    pub(crate) const fn tracing_filter(self) -> tracing::level_filters::LevelFilter {
        use tracing::level_filters::LevelFilter;
        match self {
            Level::Trace => LevelFilter::TRACE,
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warning => LevelFilter::WARN,
            // tracing has no level above ERROR; `critical!` is an ERROR event with a marker field.
            Level::Error | Level::Critical => LevelFilter::ERROR,
        }
    }
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::TRACE => Level::Trace,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::INFO => Level::Info,
            tracing::Level::WARN => Level::Warning,
            tracing::Level::ERROR => Level::Error,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A level that can be read and changed concurrently.
#[derive(Debug)]
pub(crate) struct AtomicLevel(AtomicU8);

impl AtomicLevel {
    pub(crate) fn new(level: Level) -> Self {
        Self(AtomicU8::new(level as u8))
    }

    pub(crate) fn load(&self) -> Level {
        Level::ALL[usize::from(self.0.load(Ordering::Relaxed)).min(Level::ALL.len() - 1)]
    }

    pub(crate) fn store(&self, level: Level) {
        self.0.store(level as u8, Ordering::Relaxed);
    }
}

/// A name that is not one of [`Level::NAMES`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown level `{0}`; expected one of {names}", names = Level::NAMES.join(", "))]
pub struct UnknownLevel(String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let position = Self::NAMES.iter().position(|name| *name == text);
        position.map(|at| Self::ALL[at]).ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}
