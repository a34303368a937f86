//! What Cargo itself is asked to do.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

pub(super) const LOCK: &str = "Cargo.lock";

/// Has the lock file know the workspace's crates as they are now. Nothing else in it changes, and nothing is asked of the
/// network.
pub(super) fn update_lock(root: &Path) -> Result<(), String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(["update", "--workspace", "--offline", "--quiet"]).current_dir(root);
    let done = command.output().map_err(|error| format!("{LOCK}: cargo cannot be run: {error}"))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!("{LOCK} cannot be brought up to date:\n{}", String::from_utf8_lossy(&done.stderr))),
    }
}
