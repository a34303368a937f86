//! Sentry's rate limits. Each applies to some categories of envelopes, or to all.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ureq::http::{HeaderMap, StatusCode};

use crate::category::Category;
use crate::clock::Clock;

/// The limit when a response states none that can be understood.
const DEFAULT_LIMIT: Duration = Duration::from_secs(60);
/// Maximum duration of a rate limit that is respected.
const MAX_LIMIT: Duration = Duration::from_secs(3600);

pub(crate) struct RateLimits {
    clock: Clock,
    /// When the limit of a category ends; `None` is the limit of all.
    until: HashMap<Option<Category>, Instant>,
}

impl RateLimits {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, until: HashMap::new() }
    }

    /// The remaining time of the limit for a category; `None` if it is not limited.
    pub(crate) fn remaining(&self, category: Category) -> Option<Duration> {
        let ends = [Some(category), None].into_iter().filter_map(|key| self.until.get(&key));
        let left = ends.max()?.saturating_duration_since((self.clock)());
        (!left.is_zero()).then_some(left)
    }

    /// Reads the limits in a response.
    pub(crate) fn update(&mut self, status: StatusCode, headers: &HeaderMap) {
        let mut is_stated = false;
        for header in headers.get_all("x-sentry-rate-limits") {
            for entry in header.to_str().unwrap_or_default().split(',') {
                is_stated |= self.apply_entry(entry).is_some();
            }
        }
        let retry_after = headers.get("retry-after").and_then(|header| header.to_str().ok());
        match status {
            _ if is_stated => {}
            StatusCode::TOO_MANY_REQUESTS => {
                self.limit(None, retry_after.and_then(parse_retry_after).unwrap_or(DEFAULT_LIMIT));
            }
            status if status.is_server_error() => {
                if let Some(wait) = retry_after.and_then(parse_retry_after) {
                    self.limit(None, wait);
                }
            }
            _ => {}
        }
    }

    /// Applies `SECONDS:CATEGORY;CATEGORY:SCOPE:…`, where no category means all. Returns `None` if it is malformed.
    fn apply_entry(&mut self, entry: &str) -> Option<()> {
        let mut parts = entry.trim().split(':');
        let wait = parse_seconds(parts.next()?)?;
        let categories = parts.next()?.trim();
        if categories.is_empty() {
            self.limit(None, wait);
        }
        for category in categories.split(';').filter_map(|name| Category::from_limit(name.trim())) {
            self.limit(Some(category), wait);
        }
        Some(())
    }

    /// The longest limit of a category applies.
    fn limit(&mut self, category: Option<Category>, wait: Duration) {
        let until = (self.clock)() + wait.min(MAX_LIMIT);
        let current = self.until.entry(category).or_insert(until);
        *current = until.max(*current);
    }
}

fn parse_seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    // Neither a negative number nor one that is not a number is a time.
    (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(MAX_LIMIT))
}

/// Seconds or an HTTP date.
fn parse_retry_after(text: &str) -> Option<Duration> {
    parse_seconds(text).or_else(|| {
        let date = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
        Some(Duration::try_from(date.timestamp().duration_since(Timestamp::now())).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::super::test_support::TestClock;
    use super::*;
    use Category::{Event, Log, Other, Session, Transaction};

    const LIMITED: StatusCode = StatusCode::TOO_MANY_REQUESTS;

    /// The limits after a response, in seconds, of events, transactions, sessions, logs and others.
    fn after(status: StatusCode, headers: &[(&'static str, &str)]) -> [u64; 5] {
        let clock = TestClock::new();
        let mut limits = RateLimits::new(clock.clock());
        limits.update(status, &header_map(headers));
        [Event, Transaction, Session, Log, Other].map(|category| seconds(&limits, category))
    }

    fn header_map(headers: &[(&'static str, &str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    fn seconds(limits: &RateLimits, category: Category) -> u64 {
        limits.remaining(category).map_or(0, |left| left.as_secs())
    }

    fn after_header(value: &str) -> [u64; 5] {
        after(LIMITED, &[("x-sentry-rate-limits", value)])
    }

    #[test]
    fn a_limit_applies_to_its_categories_only() {
        assert_eq!(after_header("5:transaction:organization:x"), [0, 5, 0, 0, 0]);
        assert_eq!(
            after_header("5:transaction;session:key, 2700:error;default;security:organization"),
            [2700, 5, 5, 0, 0]
        );
        assert_eq!(after_header("7:log_item:organization:quota:ns"), [0, 0, 0, 7, 0]);
        assert_eq!(after_header("7:profile;replay:organization"), [0; 5], "they are never sent");
        let lines = [("x-sentry-rate-limits", "5:error:key"), ("x-sentry-rate-limits", "6:session:key")];
        assert_eq!(after(StatusCode::OK, &lines), [5, 0, 6, 0, 0], "a header may be repeated, on any status");
    }

    #[test]
    fn a_limit_without_categories_applies_to_all() {
        assert_eq!(after_header("5::organization"), [5; 5]);
        assert_eq!(after_header("5::organization, 9:error:key"), [9, 5, 5, 5, 5]);
    }

    #[test]
    fn unusual_times_are_bounded() {
        assert_eq!(after_header("1e300:error:key, inf:session:key"), [3600, 0, 3600, 0, 0]);
        assert_eq!(after_header("0.2:error:key"), [1, 0, 0, 0, 0]);
        for garbage in ["", ",", "x", "-5:error:key", "nan:error:key", "error", "5", ":error:key"] {
            assert_eq!(after_header(garbage), [60; 5], "{garbage:?}");
            assert_eq!(after(StatusCode::OK, &[("x-sentry-rate-limits", garbage)]), [0; 5], "{garbage:?}");
        }
        assert_eq!(after_header("-5:error:key, 7:session:key"), [0, 0, 7, 0, 0], "one entry is enough");
    }

    #[test]
    fn retry_after_applies_to_all() {
        let retry_after = |status, value: &str| after(status, &[("retry-after", value)])[0];
        assert_eq!(after(LIMITED, &[("retry-after", "30")]), [30; 5]);
        assert_eq!(after(LIMITED, &[]), [60; 5]);
        for garbage in ["-3", "soon", ""] {
            assert_eq!(retry_after(LIMITED, garbage), 60, "{garbage:?}");
        }
        assert_eq!(retry_after(LIMITED, "99999999999999999999"), 3600);
        assert_eq!(retry_after(LIMITED, "Wed, 21 Oct 2015 07:28:00 GMT"), 0, "it has passed");
        assert_eq!(retry_after(LIMITED, "Wed, 21 Oct 2099 07:28:00 GMT"), 3600);
        assert_eq!(retry_after(StatusCode::SERVICE_UNAVAILABLE, "30"), 30);
        assert_eq!((retry_after(StatusCode::OK, "30"), retry_after(StatusCode::BAD_REQUEST, "30")), (0, 0));
        let both = [("retry-after", "30"), ("x-sentry-rate-limits", "5:transaction:key")];
        assert_eq!(after(LIMITED, &both), [0, 5, 0, 0, 0], "the limit of the category is more precise");
    }

    #[test]
    fn the_longest_limit_applies_until_it_ends() {
        let clock = TestClock::new();
        let mut limits = RateLimits::new(clock.clock());
        limits.update(LIMITED, &header_map(&[("x-sentry-rate-limits", "60:error:organization, 5:error:key")]));
        limits.update(LIMITED, &header_map(&[("x-sentry-rate-limits", "9:error:key")]));
        assert_eq!(seconds(&limits, Event), 60);
        clock.advance(Duration::from_secs(60));
        assert_eq!(limits.remaining(Event), None);
        limits.update(LIMITED, &header_map(&[("x-sentry-rate-limits", "9:error:key")]));
        assert_eq!(seconds(&limits, Event), 9);
    }
}
