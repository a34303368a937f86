//! The limit on open files, split into the service's own descriptors, a reserve for health checks, and client connections.

use std::thread::available_parallelism;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::error::StartError;
use crate::database::Options;
use crate::settings::Settings;

/// Descriptors for stderr, signals, the spool, the first runtime and the listeners.
const BASE: u64 = 32;
/// Descriptors of a worker: its runtime's poller and waker, and its SQLite read connection.
const PER_WORKER: u64 = 8;
/// Descriptors for the management listener: health checks must work when all others are in use.
const MANAGEMENT_RESERVE: u64 = 16;
/// The minimum number of client connections with which the service starts.
const MIN_CONNECTIONS: u64 = 16;
/// A lower limit is logged as a warning.
const RECOMMENDED_LIMIT: u64 = 1024;
/// actix's default limit.
const MAX_CONNECTIONS_PER_WORKER: u64 = 25_000;

/// The limit on open files, and the share of it that client connections get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DescriptorBudget {
    limit: u64,
    connections: u64,
    pub connections_per_worker: usize,
}

impl DescriptorBudget {
    /// Raises the soft limit to the hard limit, and allocates the descriptors.
    ///
    /// # Errors
    /// When the limit is too low for the service.
    pub(super) fn claim(settings: &Settings) -> Result<Self, StartError> {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if current != maximum {
            // Where raising is not allowed, the soft limit applies.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        }
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let default = || available_parallelism().map_or(1, |count| count.get());
        let workers = settings.server.workers.unwrap_or_else(default) as u64;
        let pooled = Options::from(&settings.database).max_descriptors();
        Self::share(limit, workers, pooled)
    }

    fn share(limit: u64, workers: u64, pooled: u64) -> Result<Self, StartError> {
        let own = BASE + MANAGEMENT_RESERVE + PER_WORKER * workers + pooled;
        let minimum = own + MIN_CONNECTIONS;
        if limit < minimum {
            return Err(StartError::TooFewDescriptors {
                limit,
                minimum,
                recommended: RECOMMENDED_LIMIT,
                workers,
                pooled,
            });
        }
        let connections = limit - own;
        let per_worker = (connections / workers.max(1)).clamp(1, MAX_CONNECTIONS_PER_WORKER);
        Ok(Self { limit, connections, connections_per_worker: per_worker as usize })
    }

    /// The warning for a low limit.
    pub(super) fn warning(&self) -> Option<String> {
        let Self { limit, connections, .. } = self;
        (*limit < RECOMMENDED_LIMIT).then(|| {
            format!(
                "the open file limit is {limit}: at most {connections} connections are served at a time and others wait; raise it \
                 to {RECOMMENDED_LIMIT} or more (ulimit -n, LimitNOFILE= in systemd, minfds= in supervisord)"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_is_refused_with_the_required_minimum() {
        let refused = DescriptorBudget::share(20, 2, 8).expect_err("is too few").to_string();
        assert!(refused.contains("is 20, but the service needs at least 88"), "{refused}");
    }

    #[test]
    fn a_tight_limit_is_allocated_with_a_warning() {
        let few = DescriptorBudget::share(200, 2, 8).expect("is enough");
        assert_eq!((few.connections, few.connections_per_worker), (128, 64));
        assert!(few.warning().is_some_and(|warning| warning.contains("128 connections")));
    }

    #[test]
    fn a_high_limit_has_no_warning() {
        let plenty = DescriptorBudget::share(1 << 20, 2, 8).expect("is plenty");
        assert_eq!(plenty.warning(), None);
        assert_eq!(plenty.connections_per_worker, 25_000);
    }
}
