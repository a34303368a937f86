//! The spool: rights, size, age and quarantine.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::check_result::CheckResult;
use super::examined_process::ExaminedProcess;
use super::nearest::nearest;
use super::units::{duration, size};
use crate::sentry::{self, SENTRY_COMPILED_IN};
use crate::settings::Settings;

pub(super) const NAME: &str = "spool";
/// An event that waits for longer is a warning.
const OLD: std::time::Duration = std::time::Duration::from_secs(900);

/// The directory, if events are spooled.
pub(super) fn directory(settings: &Settings) -> Option<PathBuf> {
    settings
        .sentry
        .spool_dir
        .as_ref()
        .filter(|_| SENTRY_COMPILED_IN && settings.sentry.dsn.is_some())
        .map(PathBuf::from)
}

pub(super) fn check(settings: &Settings, examined: &ExaminedProcess) -> CheckResult {
    let Some(directory) = directory(settings) else {
        if SENTRY_COMPILED_IN && settings.sentry.dsn.is_some() {
            return CheckResult::warn(
                NAME,
                "none: an event that Sentry does not accept is written to stderr",
                "set sentry.spool_dir to a directory of the service",
            );
        }
        return CheckResult::ok(NAME, "not needed: no DSN is set");
    };
    let directory = examined.path(&directory);
    rights(&directory, examined).unwrap_or_else(|| content(settings, &directory, &examined.shown(&directory)))
}

/// What a start warns of: the directory cannot be used.
pub(super) fn at_start(settings: &Settings, examined: &ExaminedProcess) -> Option<CheckResult> {
    rights(&examined.path(&directory(settings)?), examined)
}

/// The result about a directory that cannot be used.
fn rights(directory: &Path, examined: &ExaminedProcess) -> Option<CheckResult> {
    let shown = examined.shown(directory);
    let nearest = nearest(directory);
    let nearest_shown = examined.shown(&nearest);
    let remedy = || format!("give {} the directory: mode 0700, its own", examined.user());
    if !nearest.is_dir() {
        let found = format!("{nearest_shown} is not a directory");
        return Some(CheckResult::fail(NAME, found, "set sentry.spool_dir to a directory"));
    }
    match examined.may_write(&nearest) {
        Ok(true) => None,
        Ok(false) if nearest == directory => {
            Some(CheckResult::fail(NAME, format!("{shown} cannot be written by {}", examined.user()), remedy()))
        }
        Ok(false) => Some(CheckResult::fail(
            NAME,
            format!("{shown} does not exist, and {} cannot create it in {nearest_shown}", examined.user()),
            remedy(),
        )),
        Err(error) => Some(CheckResult::fail(NAME, format!("{nearest_shown}: {error}"), remedy())),
    }
}

fn content(settings: &Settings, directory: &Path, shown: &str) -> CheckResult {
    if !directory.exists() {
        return CheckResult::ok(NAME, format!("{shown} does not exist yet; it is created with the first event"));
    }
    let content = match sentry::spool_content(directory) {
        Ok(content) => content,
        Err(error) => {
            return CheckResult::fail(NAME, format!("{shown} cannot be read: {error}"), "correct its owner and mode");
        }
    };
    let limit = settings.sentry.spool_max_bytes;
    let used = format!("{} of {}", size(content.bytes), size(limit));
    let age = content.oldest.and_then(|at| SystemTime::now().duration_since(at).ok());
    let waiting = match (content.events, age) {
        (0, _) | (_, None) => format!("{shown} is empty"),
        (events, Some(age)) => format!("{shown} has {events} events ({used}), the oldest from {} ago", duration(age)),
    };
    if content.quarantined > 0 {
        let found = format!("{waiting}; {} damaged files are in quarantine", content.quarantined);
        return CheckResult::warn(NAME, found, format!("look at {shown}/quarantine, then delete what is in it"));
    }
    if content.bytes.saturating_mul(5) > limit.saturating_mul(4) {
        return CheckResult::warn(
            NAME,
            format!("{waiting}: it is nearly full, then the oldest events are dropped"),
            "restore the connection to Sentry, or raise sentry.spool_max_bytes",
        );
    }
    match age {
        Some(age) if content.events > 0 && age > OLD => CheckResult::warn(
            NAME,
            format!("{waiting}; they are dropped after {}", duration(settings.sentry.spool_max_age())),
            "see what the check `sentry` says; a running service with log.mode both or sentry sends them",
        ),
        _ => CheckResult::ok(NAME, waiting),
    }
}
