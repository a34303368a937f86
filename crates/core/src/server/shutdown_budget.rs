//! The time budget of the shutdown.

use std::time::Duration;

/// How long a worker waits for its connections before it drops them; actix-web accepts whole seconds.
pub(super) const WORKER_SHUTDOWN: Duration = Duration::from_secs(1);
/// Time for dropped requests to be recorded.
const DROPPED_REQUESTS: Duration = Duration::from_millis(500);

/// `server.drain_s`, and the shares of `server.shutdown_timeout_s`.
///
/// | drain + timeout | drain | in flight | workers | dropped requests | blueprints | sinks |
/// | --- | --- | --- | --- | --- | --- | --- |
/// | 0 + 8 s | 0 s | 4 s | 1 s | 0.5 s | 1 s | 1.5 s |
/// | 5 + 8 s | 5 s | 4 s | 1 s | 0.5 s | 1 s | 1.5 s |
/// | 0 + 30 s | 0 s | 17 s | 1 s | 0.5 s | 3.75 s | 7.75 s |
/// | 0 + 2 s | 0 s | 0 s | 1 s | 0.5 s | 0.25 s | 0.25 s |
/// | 0 + 1 s | 0 s | 0 s | 1 s | 0.5 s | 0.125 s | 0 s |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShutdownBudget {
    /// For load balancers to notice that the service stops, while it still serves. No other step gets time that is left: it
    /// always takes all of it.
    pub drain: Duration,
    /// For the requests and transactions in flight to finish.
    pub in_flight: Duration,
    /// For the workers to close idle connections and drop the rest.
    pub workers: Duration,
    /// For the dropped requests to be recorded.
    pub dropped_requests: Duration,
    /// For the blueprints to stop.
    pub blueprints: Duration,
    /// The rest. The sinks also get the time that the other steps do not use.
    pub sinks: Duration,
}

impl ShutdownBudget {
    /// Requests get five eighths of the timeout, rounded down to whole seconds; the time to close connections is part of it.
    /// Blueprints get one eighth.
    pub(super) fn of(drain: Duration, timeout: Duration) -> Self {
        let seconds = timeout.as_secs();
        let requests = Duration::from_secs((seconds * 5 / 8).max(1).min(seconds.saturating_sub(1)));
        let shares = Self {
            drain,
            in_flight: requests.saturating_sub(WORKER_SHUTDOWN),
            workers: WORKER_SHUTDOWN,
            dropped_requests: DROPPED_REQUESTS,
            blueprints: timeout / 8,
            sinks: Duration::ZERO,
        };
        Self { sinks: (drain + timeout).saturating_sub(shares.total()), ..shares }
    }

    /// The time of all steps together.
    pub(super) fn total(self) -> Duration {
        self.drain + self.in_flight + self.workers + self.dropped_requests + self.blueprints + self.sinks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(drain: u64, timeout: u64) -> [u64; 6] {
        let ShutdownBudget { drain, in_flight, workers, dropped_requests, blueprints, sinks } =
            ShutdownBudget::of(Duration::from_millis(drain), Duration::from_millis(timeout));
        [drain, in_flight, workers, dropped_requests, blueprints, sinks].map(|share| share.as_millis() as u64)
    }

    #[test]
    fn the_timeout_is_split_into_shares() {
        assert_eq!(budget(0, 8_000), [0, 4_000, 1_000, 500, 1_000, 1_500]);
        assert_eq!(budget(0, 30_000), [0, 17_000, 1_000, 500, 3_750, 7_750]);
    }

    #[test]
    fn the_drain_comes_on_top() {
        assert_eq!(budget(5_000, 8_000), [5_000, 4_000, 1_000, 500, 1_000, 1_500]);
    }

    #[test]
    fn the_request_share_is_rounded_down_to_seconds() {
        assert_eq!(budget(0, 9_000)[1], budget(0, 8_000)[1]);
        assert_eq!(budget(0, 10_000)[1], 5_000);
    }

    #[test]
    fn the_shares_add_up_to_drain_and_timeout() {
        for seconds in 2..=300 {
            let [drain, timeout] = [seconds / 3, seconds].map(Duration::from_secs);
            assert_eq!(ShutdownBudget::of(drain, timeout).total(), drain + timeout, "{seconds} s");
        }
    }

    #[test]
    fn a_tiny_budget_has_no_request_share_and_may_be_exceeded() {
        assert_eq!(budget(0, 2_000), [0, 0, 1_000, 500, 250, 250]);
        assert_eq!(budget(0, 1_000), [0, 0, 1_000, 500, 125, 0]);
        assert_eq!(budget(0, 0), [0, 0, 1_000, 500, 0, 0]);
    }
}
