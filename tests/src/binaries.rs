//! The binaries under test.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::scratch;

/// The service's own binary, built when it is missing or stale.
pub fn app() -> PathBuf {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    if let Err(why) = BUILT.get_or_init(build) {
        panic!("{why}");
    }
    scratch::target().join("debug/app")
}

// Always run, as Cargo knows best whether there is something to do. The whole workspace, for the same set of features
// as `cargo test --workspace`: otherwise the two would rebuild each other's dependencies for ever.
fn build() -> Result<(), String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--workspace", "--bin", "app"]).current_dir(scratch::workspace());
    let built = command.output().map_err(|e| format!("cannot run cargo to build the app: {e}"))?;
    match built.status.success() {
        true => Ok(()),
        false => Err(format!("the app does not build:\n{}", String::from_utf8_lossy(&built.stderr))),
    }
}
