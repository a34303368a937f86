//! The connection to Sentry.

use super::check_result::CheckResult;
use crate::sentry::{self, SENTRY_COMPILED_IN};
use crate::settings::{Mode, Settings};

pub(super) const NAME: &str = "sentry";

pub(super) fn check(settings: &Settings) -> CheckResult {
    let is_used = matches!(settings.log.mode, Mode::Sentry | Mode::Both);
    if settings.sentry.dsn.is_none() {
        let found = "no DSN is set: failures are not sent to Sentry";
        return if settings.log.mode == Mode::Sentry || (is_used && !SENTRY_COMPILED_IN) {
            CheckResult::warn(
                NAME,
                format!("{found}, though log.mode={}", settings.log.mode.as_str()),
                "set SENTRY_DSN",
            )
        } else {
            CheckResult::ok(NAME, found)
        };
    }
    if !SENTRY_COMPILED_IN {
        return CheckResult::warn(
            NAME,
            "a DSN is set, but this build has no Sentry",
            "build it with the feature `sentry`",
        );
    }
    let connection = sentry::check_connection(settings);
    let found = connection.found;
    let found = if is_used { found } else { format!("{found} (not used: log.mode={})", settings.log.mode.as_str()) };
    match connection.remedy {
        None => CheckResult::ok(NAME, found),
        Some(remedy) if connection.works || !is_used => CheckResult::warn(NAME, found, remedy),
        Some(remedy) => CheckResult::fail(NAME, found, remedy),
    }
}
