//! Raises the limit on open files at the start.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::checks::{DescriptorBudget, TooFewDescriptors};
use crate::settings::Settings;

/// Raises the soft limit to the hard limit, and allocates the descriptors.
///
/// # Errors
/// When the limit is too low for the service.
pub(super) fn claim(settings: &Settings) -> Result<DescriptorBudget, TooFewDescriptors> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Where raising is not allowed, the soft limit applies.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    DescriptorBudget::of(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), settings)
}
