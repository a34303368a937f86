//! Runs a check with a limit on its time: a file system or a server that hangs must not hang the command.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use cyanotype_telemetry::panic;

use super::check_result::CheckResult;

/// The maximum time of a check.
const LIMIT: Duration = Duration::from_secs(15);
/// After this time the user sees what the command waits for.
pub(super) const SLOW_AFTER: Duration = Duration::from_secs(2);

/// A check that has begun.
pub(super) struct Running<T> {
    pub name: &'static str,
    began: Instant,
    outcome: Receiver<T>,
}

/// What a check returns.
pub(super) trait Outcome: Send + 'static {
    /// The outcome of a check that did not end by itself.
    fn of_failure(result: CheckResult) -> Self;
}

impl Outcome for Vec<CheckResult> {
    fn of_failure(result: CheckResult) -> Self {
        vec![result]
    }
}

/// Begins a check in a thread of its own.
pub(super) fn begin<T: Outcome>(name: &'static str, check: impl FnOnce() -> T + Send + 'static) -> Running<T> {
    let (sender, outcome) = channel();
    let work = move || {
        let outcome = catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|payload| {
            let found = format!("the check failed: {}", panic::description(&*payload));
            T::of_failure(CheckResult::fail(name, found, "report this as a bug"))
        });
        // The receiver is gone after the limit.
        let _ = sender.send(outcome);
    };
    // Without a thread, the sender is dropped and the check fails below.
    drop(std::thread::Builder::new().name(name.to_owned()).spawn(work));
    Running { name, began: Instant::now(), outcome }
}

impl<T: Outcome> Running<T> {
    /// Waits for the outcome; `is_slow` is called once if that takes long.
    pub(super) fn wait(self, is_slow: impl FnOnce()) -> T {
        let left = |limit: Duration| limit.saturating_sub(self.began.elapsed());
        let mut received = self.outcome.recv_timeout(left(SLOW_AFTER));
        if matches!(received, Err(RecvTimeoutError::Timeout)) {
            is_slow();
            received = self.outcome.recv_timeout(left(LIMIT));
        }
        received.unwrap_or_else(|why| T::of_failure(unfinished(self.name, why)))
    }
}

fn unfinished(name: &'static str, why: RecvTimeoutError) -> CheckResult {
    match why {
        RecvTimeoutError::Timeout => {
            let found = format!("the check did not end within {} s", LIMIT.as_secs());
            CheckResult::fail(name, found, "see whether a file system or a server that it uses hangs")
        }
        RecvTimeoutError::Disconnected => CheckResult::fail(
            name,
            "no thread can be started for the check",
            "raise the limit on processes (ulimit -u)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check_result::Status;
    use super::*;

    #[test]
    fn a_check_that_panics_is_a_failure_and_the_others_continue() {
        let panics = begin("panics", || panic!("requested by the test"));
        let works = begin("works", || vec![CheckResult::ok("works", "fine")]);
        let results: Vec<CheckResult> = [panics, works].into_iter().flat_map(|check| check.wait(|| ())).collect();
        assert_eq!(
            results.iter().map(|it| (it.check, it.status)).collect::<Vec<_>>(),
            [("panics", Status::Fail), ("works", Status::Ok)]
        );
    }
}
