//! The clock of this machine.

use jiff::{SignedDuration, Timestamp};

use super::check_result::CheckResult;

pub(super) const NAME: &str = "clock";
/// The years in which this program can run.
const YEARS: std::ops::RangeInclusive<i16> = 2025..=2100;
/// Differences from which sessions, idempotency keys and the order of records are affected.
const NOTABLE: SignedDuration = SignedDuration::from_secs(1);
const SEVERE: SignedDuration = SignedDuration::from_secs(60);
const REMEDY: &str = "synchronize the clocks (timedatectl set-ntp true, or chrony)";

/// `ahead` is how far the database server's clock is ahead of this one.
pub(super) fn check(ahead: Option<SignedDuration>) -> CheckResult {
    let now = Timestamp::now();
    if let Some(result) = year(now) {
        return result;
    }
    let Some(ahead) = ahead else { return CheckResult::ok(NAME, format!("{now:.0}; no other clock to compare with")) };
    let differs = ahead.abs();
    let direction = if ahead.is_negative() { "behind" } else { "ahead" };
    let found = format!("the database server is {:.3} s {direction}", differs.as_secs_f64());
    match () {
        () if differs >= SEVERE => CheckResult::fail(NAME, found, REMEDY),
        () if differs >= NOTABLE => CheckResult::warn(NAME, found, REMEDY),
        () => CheckResult::ok(NAME, found),
    }
}

/// What a start warns of: a clock that was never set.
pub(super) fn at_start() -> Option<CheckResult> {
    year(Timestamp::now())
}

fn year(now: Timestamp) -> Option<CheckResult> {
    let year = now.to_zoned(jiff::tz::TimeZone::UTC).year();
    let found = || format!("the clock shows the year {year}: sessions, certificates and events are wrong");
    (!YEARS.contains(&year)).then(|| CheckResult::fail(NAME, found(), REMEDY))
}

#[cfg(test)]
mod tests {
    use super::super::check_result::Status;
    use super::*;

    #[test]
    fn the_offset_decides() {
        let status = |seconds| check(Some(SignedDuration::from_millis(seconds))).status;
        assert_eq!([status(0), status(-999)], [Status::Ok; 2]);
        assert_eq!([status(1000), status(-59_999)], [Status::Warn; 2]);
        assert_eq!([status(60_000), status(-3_600_000)], [Status::Fail; 2]);
    }

    #[test]
    fn a_clock_that_was_never_set_is_a_failure() {
        let at = |text: &str| year(text.parse().expect("a time"));
        assert!(at("1970-01-01T00:00:00Z").is_some() && at("2101-01-01T00:00:00Z").is_some());
        assert!(at("2026-11-27T00:00:00Z").is_none());
    }
}
