//! How a service stopped.

use std::time::Instant;

/// The reason for the stop when the thread that waits for signals has ended, for example by a panic.
const NO_SIGNAL: &str = "the end of the signal thread";

/// A service that has stopped.
pub(super) struct Stopped {
    /// The time by which the process must end.
    pub deadline: Instant,
    /// Whether it has served requests: a signal may stop it before.
    pub has_served: bool,
    /// Why it stopped without a signal, or what panicked during its stop.
    pub fault: Option<String>,
}

/// The name of the stop signal, and the fault if there was none.
pub(super) fn stop_reason(signal: Option<&'static str>) -> (&'static str, Option<String>) {
    match signal {
        Some(name) => (name, None),
        None => (NO_SIGNAL, Some("the thread that waits for signals has ended".to_owned())),
    }
}
