//! The time zone of the process. Records are in UTC whatever it is.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::check_result::CheckResult;
use super::examined_process::ExaminedProcess;

pub(super) const NAME: &str = "time-zone";

pub(super) fn check(examined: &ExaminedProcess) -> CheckResult {
    let variable = examined.environment().and_then(|mut all| all.remove("TZ")).filter(|name| !name.is_empty());
    let zone = match &variable {
        // A name, or a rule such as `CET-1CEST`. For others the C library uses UTC, too.
        Some(name) => {
            TimeZone::get(name.trim_start_matches(':')).or_else(|_| TimeZone::posix(name)).unwrap_or(TimeZone::UTC)
        }
        None => TimeZone::system(),
    };
    let offset = zone.to_offset(Timestamp::now());
    let name = variable.or_else(|| zone.iana_name().map(str::to_owned)).unwrap_or_else(|| "the system's".into());
    if offset.is_zero() {
        return CheckResult::ok(NAME, format!("{name}, which is UTC now"));
    }
    CheckResult::warn(
        NAME,
        format!("{name} (UTC{offset}): records have UTC, supervisord and journalctl show local time"),
        "compare times with `journalctl --utc`, or set the machine to UTC (timedatectl set-timezone UTC)",
    )
}
