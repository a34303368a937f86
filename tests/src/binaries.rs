//! The binaries under test.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::scratch;

/// Cargo at low priority, for a test that builds while others run: some of those measure time. It reuses this workspace's build, and
/// writes its results to a directory of its own.
pub fn low_priority_cargo(results: &Path) -> Command {
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"]).arg(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    nice.env("CARGO_BUILD_BUILD_DIR", scratch::target()).env("CARGO_TARGET_DIR", results);
    without_own_package(nice)
}

/// Removes the variables that describe this process's own package: build scripts that read them would run again and cause
/// rebuilds.
fn without_own_package(mut command: Command) -> Command {
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
        command.env_remove(name);
    }
    command
}

/// The service's own binary, built when it is missing or stale.
pub fn app() -> PathBuf {
    built("app")
}

/// The binary of the workspace's tasks, likewise.
pub fn xtask() -> PathBuf {
    built("xtask")
}

/// One of the examples, likewise.
pub fn example(name: &str) -> PathBuf {
    built(&format!("examples/{name}"))
}

fn built(name: &str) -> PathBuf {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    if let Err(why) = BUILT.get_or_init(build) {
        panic!("{why}");
    }
    scratch::target().join("debug").join(name)
}

// Always run: Cargo determines whether a build is needed. It builds the complete workspace, with the same features as
// `cargo test --workspace`; otherwise the two would invalidate each other's builds.
fn build() -> Result<(), String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = without_own_package(Command::new(cargo));
    command
        .args(["build", "--quiet", "--workspace", "--bin", "app", "--bin", "xtask", "--examples"])
        .current_dir(scratch::workspace());
    let built = command.output().map_err(|e| format!("cannot run cargo to build the binaries: {e}"))?;
    match built.status.success() {
        true => Ok(()),
        false => Err(format!("the binaries do not build:\n{}", String::from_utf8_lossy(&built.stderr))),
    }
}

/// A binary of this package whose workspace crates are compiled with `panic=abort`, as is then the whole program. All other
/// crates are those of the build of `cargo test --workspace`.
pub fn panic_abort(binary: &Path) -> PathBuf {
    let name = binary.file_name().and_then(|name| name.to_str()).expect("a binary has a name in ASCII");
    let target = scratch::target().join("abort");
    let mut command = low_priority_cargo(&target);
    command.args(["build", "--quiet", "--locked", "--workspace", "--bin", name]).current_dir(scratch::workspace());
    command.env("RUSTC_WORKSPACE_WRAPPER", scratch::workspace().join("tests/src/panic_abort.sh"));
    let built = command.output().unwrap_or_else(|e| panic!("cannot run cargo: {e}"));
    assert!(built.status.success(), "{name} does not build:\n{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug").join(name)
}
