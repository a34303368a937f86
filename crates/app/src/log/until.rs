//! When an override expires, as a person reads it.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The local time, and how long that is from now.
pub(super) fn shown(until: Timestamp) -> String {
    from(Timestamp::now(), until, TimeZone::system())
}

/// The local time of this moment.
pub(super) fn now() -> String {
    Timestamp::now().to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
}

fn from(now: Timestamp, until: Timestamp, zone: TimeZone) -> String {
    let local = until.to_zoned(zone.clone());
    let format = if local.date() == now.to_zoned(zone).date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    // A part of a second has passed since it was set.
    let left = until.duration_since(now).as_millis().max(0);
    let left = SignedDuration::from_secs(i64::try_from((left + 500) / 1000).unwrap_or(i64::MAX));
    format!("{} ({left:#})", local.strftime(format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_local_time_and_a_duration() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let zone = || TimeZone::fixed(jiff::tz::offset(2));
        let now = at("2026-01-01T20:00:00.2Z");
        assert_eq!(from(now, at("2026-01-01T20:15:00Z"), zone()), "22:15:00 (15m)");
        assert_eq!(from(now, at("2026-01-01T22:30:00Z"), zone()), "2026-01-02 00:30:00 (2h 30m)");
        assert_eq!(from(now, at("2026-01-01T19:59:59Z"), zone()), "21:59:59 (0s)");
    }
}
