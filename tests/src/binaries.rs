//! The binaries under test.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::scratch;

/// The service's own binary, built when it is missing or stale.
pub fn app() -> PathBuf {
    built("app")
}

/// The binary of the workspace's own tasks, likewise.
pub fn xtask() -> PathBuf {
    built("xtask")
}

fn built(name: &str) -> PathBuf {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    if let Err(why) = BUILT.get_or_init(build) {
        panic!("{why}");
    }
    scratch::target().join("debug").join(name)
}

// Always run, as Cargo knows best whether there is something to do. The whole workspace, for the same set of features
// as `cargo test --workspace`: otherwise the two would rebuild each other's dependencies for ever.
fn build() -> Result<(), String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--workspace", "--bin", "app", "--bin", "xtask"])
        .current_dir(scratch::workspace());
    let built = command.output().map_err(|e| format!("cannot run cargo to build the binaries: {e}"))?;
    match built.status.success() {
        true => Ok(()),
        false => Err(format!("the binaries do not build:\n{}", String::from_utf8_lossy(&built.stderr))),
    }
}

/// This binary of the tests' own, built with `panic=abort`: its dependencies, too, so it takes minutes the first time.
pub fn aborting(binary: &Path) -> PathBuf {
    let name = binary.file_name().and_then(|name| name.to_str()).expect("a binary has a name in ASCII");
    let target = scratch::target().join("abort");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "-p", "system-tests", "--bin", name, "--target-dir"]).arg(&target);
    command
        .current_dir(scratch::workspace())
        .env("CARGO_PROFILE_DEV_PANIC", "abort")
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    let built = command.output().unwrap_or_else(|e| panic!("cannot run cargo: {e}"));
    assert!(built.status.success(), "{name} does not build:\n{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug").join(name)
}
