//! How a service stopped.

use std::time::{Duration, Instant};

use super::management_listener::ManagementListener;
use crate::settings::Settings;

/// Why a service stops.
pub(super) struct StopReason {
    /// The name of the signal, or what else stops the service.
    pub name: &'static str,
    /// Why it stops without a signal.
    pub fault: Option<String>,
}

/// A service that has stopped.
pub(super) struct Stopped {
    /// The time by which the process must end.
    pub deadline: Instant,
    /// The management listener, which still answers. `None` when the service has not served: a signal may stop it before.
    pub management: Option<ManagementListener>,
    /// Why it stopped without a signal, or what panicked during its stop.
    pub fault: Option<String>,
}

impl StopReason {
    /// The reason for a stop by this signal; without one, the thread that waits for signals has ended, for example by a panic.
    pub(super) fn signal(signal: Option<&'static str>) -> Self {
        match signal {
            Some(name) => Self { name, fault: None },
            None => {
                Self::fault("the end of the signal thread", "the thread that waits for signals has ended".to_owned())
            }
        }
    }

    /// The reason for a stop by a fault.
    pub(super) fn fault(name: &'static str, fault: String) -> Self {
        Self { name, fault: Some(fault) }
    }

    /// How long the service still serves: a load balancer must not send requests to a service with a fault any longer.
    pub(super) fn drain(&self, settings: &Settings) -> Duration {
        if self.fault.is_none() { settings.server.drain() } else { Duration::ZERO }
    }
}
