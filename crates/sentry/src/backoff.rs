//! Exponential backoff: after a failure, nothing is sent to Sentry for a while.

use std::time::{Duration, Instant};

/// The first delay. Each further delay is twice as long, up to [`MAX_DELAY`].
const INITIAL_DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(crate) struct Backoff {
    until: Option<Instant>,
    reason: String,
    /// The last delay; zero if there was none since the last success.
    delay: Duration,
    /// Whether the server specified the current delay.
    limited: bool,
}

impl Backoff {
    /// When the current delay ends, or the last one ended.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// The reason for the current delay; `None` if there is none.
    pub(crate) fn reason(&self, now: Instant) -> Option<&str> {
        self.until.filter(|until| now < *until).map(|_| self.reason.as_str())
    }

    /// The reason for the current delay, if the server has not specified it: it fails, or cannot be reached.
    pub(crate) fn outage(&self, now: Instant) -> Option<&str> {
        self.reason(now).filter(|_| !self.limited)
    }

    /// Begins a delay, of `retry_after` if the server specified it. Returns whether it is the first one since a success.
    pub(crate) fn back_off(&mut self, now: Instant, reason: &str, retry_after: Option<Duration>) -> bool {
        let is_first = self.delay.is_zero();
        self.delay = (self.delay * 2).clamp(INITIAL_DELAY, MAX_DELAY);
        self.until = Some(now + retry_after.unwrap_or(self.delay));
        self.reason = reason.to_owned();
        self.limited = retry_after.is_some();
        is_first
    }

    /// Resets the backoff after a success. Returns whether there was a delay since the last success.
    pub(crate) fn reset(&mut self) -> bool {
        !std::mem::take(self).delay.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn delays_double_up_to_the_maximum() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        assert_eq!((backoff.until(), backoff.reason(now)), (None, None));
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(backoff.back_off(now, &format!("{seconds}"), None), seconds == 1);
            let until = now + seconds * SECOND;
            assert_eq!(backoff.until(), Some(until));
            assert_eq!(backoff.reason(until - Duration::from_nanos(1)), Some(&*format!("{seconds}")));
            assert_eq!(backoff.reason(until), None);
        }
    }

    #[test]
    fn a_success_resets_the_backoff() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        assert!(!backoff.reset());
        backoff.back_off(now, "once", None);
        backoff.back_off(now, "twice", None);
        assert!(backoff.reset());
        assert_eq!((backoff.until(), backoff.reason(now)), (None, None));
        assert!(!backoff.reset());
        assert!(backoff.back_off(now, "again", None));
        assert_eq!(backoff.until(), Some(now + SECOND));
    }

    #[test]
    fn a_retry_after_from_the_server_takes_precedence() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        backoff.back_off(now, "limited", Some(60 * SECOND));
        assert_eq!(backoff.until(), Some(now + 60 * SECOND));
        assert_eq!((backoff.reason(now), backoff.outage(now)), (Some("limited"), None));
        backoff.back_off(now, "failed", None);
        assert_eq!(backoff.until(), Some(now + 2 * SECOND), "it counts as a delay");
        assert_eq!(backoff.outage(now), Some("failed"));
    }
}
