//! The limit on open files: what the service needs of it, what is reserved for health checks, and what is left for connections.

use std::thread::available_parallelism;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::error::StartError;
use crate::database::Options;
use crate::settings::Settings;

/// stderr, signals, the spool, the first runtime, the listeners.
const BASE: u64 = 32;
/// A runtime with its poller and its waker, and a connection that reads SQLite's file.
const PER_WORKER: u64 = 8;
/// For the management listener: health checks must work when nothing else is left.
const MANAGEMENT_RESERVE: u64 = 16;
/// Fewer connections than these are no service.
const MIN_CONNECTIONS: u64 = 16;
/// From here on no warning is logged.
const RECOMMENDED_LIMIT: u64 = 1024;
/// As many as a worker has in actix without a limit.
const MAX_CONNECTIONS_PER_WORKER: u64 = 25_000;

/// What the limit leaves for connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DescriptorBudget {
    limit: u64,
    connections: u64,
    pub connections_per_worker: usize,
}

impl DescriptorBudget {
    /// Raises the soft limit to the hard one, and shares it out.
    ///
    /// # Errors
    /// When the service cannot run with so few.
    pub(super) fn claim(settings: &Settings) -> Result<Self, StartError> {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if current != maximum {
            // Where that is not allowed, the soft limit is what there is.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        }
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let default = || available_parallelism().map_or(1, |count| count.get());
        let workers = settings.server.workers.unwrap_or_else(default) as u64;
        let pooled = Options::from(&settings.database).most_descriptors();
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

    /// The warning that the start logs when the limit is low.
    pub(super) fn warning(&self) -> Option<String> {
        let Self { limit, connections, .. } = self;
        (*limit < RECOMMENDED_LIMIT).then(|| {
            format!(
                "the limit of open files is {limit}: {connections} connections are served at a time, others wait; wanted \
                 are {RECOMMENDED_LIMIT} or more (ulimit -n, LimitNOFILE= in systemd, minfds= in supervisord)"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_are_refused_with_the_number_that_is_needed() {
        let refused = DescriptorBudget::share(20, 2, 8).expect_err("is too few").to_string();
        assert!(refused.contains("is 20, and the service needs 88 at least"), "{refused}");
    }

    #[test]
    fn few_are_shared_out_and_said() {
        let few = DescriptorBudget::share(200, 2, 8).expect("is enough");
        assert_eq!((few.connections, few.connections_per_worker), (128, 64));
        assert!(few.warning().is_some_and(|warning| warning.contains("128 connections")));
    }

    #[test]
    fn plenty_are_not_worth_a_word() {
        let plenty = DescriptorBudget::share(1 << 20, 2, 8).expect("is plenty");
        assert_eq!(plenty.warning(), None);
        assert_eq!(plenty.connections_per_worker, 25_000);
    }
}
