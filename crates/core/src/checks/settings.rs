//! The settings: near misses, and whether the running service has the same environment.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

use super::check_result::CheckResult;
use super::examined_process::ExaminedProcess;
use crate::database::is_relative_sqlite_file;
use crate::settings::Settings;

pub(super) const NAME: &str = "settings";
/// Variables without our prefix that are read.
const OTHERS: [&str; 6] = ["SENTRY_DSN", "SENTRY_ENVIRONMENT", "SENTRY_RELEASE", "DATABASE_URL", "PORT", "RUST_LOG"];

/// The result for settings that cannot be used.
pub(crate) fn invalid(reason: &str) -> CheckResult {
    CheckResult::fail(NAME, reason.trim_end(), "correct them, and run this command again for the checks that need them")
}

/// What a start warns of.
pub(crate) fn warnings(settings: &Settings) -> Vec<String> {
    [settings.warnings.clone(), settings.log.size_warnings()].concat()
}

pub(super) fn check(settings: &Settings, registry: Result<(), String>, examined: &ExaminedProcess) -> CheckResult {
    if let Err(reason) = registry {
        return invalid(&reason);
    }
    let warnings = warnings(settings);
    if !warnings.is_empty() {
        return CheckResult::warn(
            NAME,
            warnings.join("\n"),
            "rename the variable or remove it; `app config` shows what is in effect",
        );
    }
    if let Some(directory) = other_directory(settings, examined) {
        return CheckResult::warn(
            NAME,
            format!(
                "the running service was started in {}: relative paths and `config` are others here",
                directory.display()
            ),
            format!("cd {}; then run this command again", directory.display()),
        );
    }
    let differing = differing(examined);
    if !differing.is_empty() {
        let names = differing.join(", ");
        return CheckResult::warn(
            NAME,
            format!(
                "the running service was started with other values of {names}: the checks use those of this command"
            ),
            "run this command in the directory and with the environment of the service",
        );
    }
    let set = settings.origins.iter().filter(|origin| origin.set_by != "default").count();
    CheckResult::ok(NAME, format!("valid; {set} differ from the defaults (`app config` lists them)"))
}

/// The working directory of the running service, if it differs from this one and matters.
fn other_directory(settings: &Settings, examined: &ExaminedProcess) -> Option<PathBuf> {
    examined.running?;
    let theirs = examined.file("cwd").read_link().ok()?;
    let own = env::current_dir().ok().filter(|own| *own != theirs)?;
    let has_config = [&theirs, &own].iter().any(|directory| directory.join("config").is_dir());
    let paths = [settings.sentry.spool_dir.as_deref(), settings.management.socket.as_deref()];
    let has_relative = is_relative_sqlite_file(&settings.database.url)
        || paths.into_iter().flatten().any(|path| Path::new(path).is_relative());
    (has_config || has_relative).then_some(theirs)
}

/// The names of the variables that the running service has with other values; no values.
fn differing(examined: &ExaminedProcess) -> Vec<String> {
    let Some(theirs) = examined.environment().filter(|_| examined.running.is_some()) else { return Vec::new() };
    let ours: std::collections::BTreeMap<String, String> = env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    let is_read = |name: &str| {
        name.starts_with("APP__")
            || OTHERS.iter().any(|other| name == *other || name.strip_suffix("_FILE") == Some(*other))
    };
    let names: BTreeSet<&String> = theirs.keys().chain(ours.keys()).filter(|name| is_read(name)).collect();
    names.into_iter().filter(|name| theirs.get(*name) != ours.get(*name)).cloned().collect()
}
