//! Calls to Cargo.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

pub(super) const LOCK: &str = "Cargo.lock";

/// Updates the workspace's own crates in the lock file, offline. Other dependencies keep their versions.
pub(super) fn update_lock(root: &Path) -> Result<(), String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(["update", "--workspace", "--offline", "--quiet"]).current_dir(root);
    let output = command.output().map_err(|error| format!("cannot update {LOCK}: cannot run cargo: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("cannot update {LOCK}:\n{}", String::from_utf8_lossy(&output.stderr))),
    }
}
