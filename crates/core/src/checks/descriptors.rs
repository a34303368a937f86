//! The limit on open files, split into the service's own descriptors, a reserve for health checks, and client connections.

use std::thread::available_parallelism;

use procfs::process::{LimitValue, Process};
use rustix::process::{Resource, getrlimit};

use super::check_result::CheckResult;
use super::examined_process::ExaminedProcess;
use crate::database::Options;
use crate::settings::Settings;

pub(super) const NAME: &str = "descriptors";

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

/// The limit on open files leaves too few descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the open file limit is {limit}, but the service needs at least {minimum} ({workers} workers, {pooled} descriptors for the \
     database)"
)]
pub struct TooFewDescriptors {
    /// The effective limit.
    pub limit: u64,
    /// The lowest limit with which the service starts.
    pub minimum: u64,
    /// Number of worker threads.
    pub workers: u64,
    /// Number of descriptors for the database.
    pub pooled: u64,
}

impl TooFewDescriptors {
    /// What to do; also about a limit with which the service starts, but serves few clients.
    pub(crate) const REMEDY: &str =
        "raise it to 1024 or more (ulimit -n, LimitNOFILE= in systemd, minfds= in supervisord)";
}

/// The limit of the examined process, and how many of it are in use.
pub(super) fn check(settings: &Settings, examined: &ExaminedProcess) -> CheckResult {
    let process = examined.running.and_then(|pid| Process::new(pid).ok());
    let (limit, used) = match &process {
        Some(process) => {
            let Ok(limits) = process.limits() else {
                let remedy = format!("run this command as root, or as the user of the service ({})", examined.user());
                return CheckResult::warn(NAME, "the limits of the running service cannot be read", remedy);
            };
            (limit(limits.max_open_files.soft_limit), process.fd_count().ok())
        }
        // A start raises the soft limit to the hard one.
        None => (getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX), None),
    };
    let budget = match DescriptorBudget::of(limit, settings) {
        Ok(budget) => budget,
        Err(too_few) => return CheckResult::fail(NAME, too_few.to_string(), TooFewDescriptors::REMEDY),
    };
    let used = used.map(|used| used as u64);
    if used.is_some_and(|used| used.saturating_mul(5) > limit.saturating_mul(4)) {
        let used = used.unwrap_or_default();
        return CheckResult::warn(
            NAME,
            format!("{used} of {limit} are open: further connections wait"),
            TooFewDescriptors::REMEDY,
        );
    }
    budget.warning().unwrap_or_else(|| {
        let used = used.map(|used| format!("; {used} are open")).unwrap_or_default();
        CheckResult::ok(NAME, format!("{} for client connections, of {limit}{used}", budget.connections))
    })
}

fn limit(value: LimitValue) -> u64 {
    match value {
        LimitValue::Unlimited => u64::MAX,
        LimitValue::Value(value) => value,
    }
}

/// The number of workers, and of descriptors for the database.
fn demand(settings: &Settings) -> (u64, u64) {
    let default = || available_parallelism().map_or(1, |count| count.get());
    let workers = settings.server.workers.unwrap_or_else(default) as u64;
    (workers, Options::from(&settings.database).max_descriptors())
}

impl DescriptorBudget {
    /// Allocates the descriptors below this limit.
    ///
    /// # Errors
    /// When the limit is too low for the service.
    pub(crate) fn of(limit: u64, settings: &Settings) -> Result<Self, TooFewDescriptors> {
        let (workers, pooled) = demand(settings);
        Self::share(limit, workers, pooled)
    }

    fn share(limit: u64, workers: u64, pooled: u64) -> Result<Self, TooFewDescriptors> {
        let own = BASE + MANAGEMENT_RESERVE + PER_WORKER * workers + pooled;
        let minimum = own + MIN_CONNECTIONS;
        if limit < minimum {
            return Err(TooFewDescriptors { limit, minimum, workers, pooled });
        }
        let connections = limit - own;
        let per_worker = (connections / workers.max(1)).clamp(1, MAX_CONNECTIONS_PER_WORKER);
        Ok(Self { limit, connections, connections_per_worker: per_worker as usize })
    }

    /// The warning for a low limit.
    pub(crate) fn warning(&self) -> Option<CheckResult> {
        let Self { limit, connections, .. } = self;
        (*limit < RECOMMENDED_LIMIT).then(|| {
            let found = format!(
                "the open file limit is {limit}: at most {connections} connections are served at a time and others wait"
            );
            CheckResult::warn(NAME, found, TooFewDescriptors::REMEDY)
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
        assert!(few.warning().is_some_and(|warning| warning.line().contains("128 connections")));
    }

    #[test]
    fn a_high_limit_has_no_warning() {
        let plenty = DescriptorBudget::share(1 << 20, 2, 8).expect("is plenty");
        assert_eq!(plenty.warning(), None);
        assert_eq!(plenty.connections_per_worker, 25_000);
    }
}
