//! Directories that are prepared once and reused by later runs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{scratch, wait};

const LOCK_LIMIT: Duration = Duration::from_secs(600);

/// The directory `target/peers/<name>-<hash of recipe>`, filled by `make` unless an earlier run did so. A lock serialises
/// concurrent test processes; a directory that a failed or killed process left incomplete is made again.
pub fn prepared(
    name: &str,
    recipe: impl Hash,
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let mut hasher = DefaultHasher::new();
    recipe.hash(&mut hasher);
    let peers = scratch::target().join("peers");
    let name = format!("{name}-{:016x}", hasher.finish());
    let dir = peers.join(&name);
    let complete = dir.join(".complete");
    let io = |e| format!("cannot prepare {}: {e}", dir.display());

    scratch::make_dir(&peers);
    // Next to the directory, which may be removed. The kernel releases the lock of a process that dies.
    let lock = File::create(peers.join(name + ".lock")).map_err(io)?;
    wait::until(&format!("another process to prepare {}", dir.display()), LOCK_LIMIT, || lock.try_lock().ok());
    if !complete.exists() {
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(io)?;
        }
        fs::create_dir(&dir).map_err(io)?;
        make(&dir)?;
        File::create(complete).map_err(io)?;
    }
    Ok(dir)
}

/// Runs a program; the error is the last line that it printed.
pub fn run<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, args: impl IntoIterator<Item = A>) -> Result<(), String> {
    let output = Command::new(program).args(args).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    Err(printed.trim().lines().last().map_or_else(|| output.status.to_string(), str::to_owned))
}
