//! Formats the expiry of an override.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The local time, and the remaining duration.
pub(super) fn format(until: Timestamp) -> String {
    format_at(Timestamp::now(), until, TimeZone::system())
}

/// The current local time.
pub(super) fn local_time() -> String {
    Timestamp::now().to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
}

fn format_at(now: Timestamp, until: Timestamp, zone: TimeZone) -> String {
    let local = until.to_zoned(zone.clone());
    let pattern = if local.date() == now.to_zoned(zone).date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    // Rounded, because a fraction of a second has passed since the override was set.
    let remaining = until.duration_since(now).as_millis().max(0);
    let remaining = SignedDuration::from_secs(i64::try_from((remaining + 500) / 1000).unwrap_or(i64::MAX));
    format!("{} ({remaining:#})", local.strftime(pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_local_time_and_a_duration() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let zone = || TimeZone::fixed(jiff::tz::offset(2));
        let now = at("2026-01-01T20:00:00.2Z");
        assert_eq!(format_at(now, at("2026-01-01T20:15:00Z"), zone()), "22:15:00 (15m)");
        assert_eq!(format_at(now, at("2026-01-01T22:30:00Z"), zone()), "2026-01-02 00:30:00 (2h 30m)");
        assert_eq!(format_at(now, at("2026-01-01T19:59:59Z"), zone()), "21:59:59 (0s)");
    }
}
