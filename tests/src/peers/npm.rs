//! The npm packages of the platform tests, with locked versions.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use test_harness::peers::prepared::{prepared, run};
use test_harness::{env, process_guard, scratch};

use super::program::program;

const PACKAGE: &str = include_str!("../../platform/npm/package.json");
const LOCK: &str = include_str!("../../platform/npm/package-lock.json");

/// The directory that holds `node_modules`.
///
/// # Panics
/// With a remedy, if it cannot be created.
#[track_caller]
pub fn packages() -> &'static Path {
    static PACKAGES: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let npm = program("npm", "npm");
    let packages = PACKAGES.get_or_init(|| {
        prepared("npm", (PACKAGE, LOCK), |dir| {
            scratch::write(&dir.join("package.json"), PACKAGE);
            scratch::write(&dir.join("package-lock.json"), LOCK);
            // npm does not find its lock file through a symbolic link.
            let dir = dir.canonicalize().map_err(|e| format!("{}: {e}", dir.display()))?;
            let prefix = [OsStr::new("--prefix"), dir.as_os_str()];
            let arguments = [
                "ci",
                "--engine-strict",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--loglevel=error",
                "--logs-max=0",
            ];
            run(npm, prefix.into_iter().chain(arguments.map(OsStr::new))).map_err(|why| {
                format!(
                    "npm cannot install tests/platform/npm: check the network and that node is 20.19 or newer ({why})"
                )
            })
        })
    });
    packages.as_deref().unwrap_or_else(|why| panic!("{why}"))
}

/// Node; add a script as an argument, see [`process_guard::command`].
#[track_caller]
pub fn node() -> Command {
    let mut command = process_guard::command(program("node", "nodejs"));
    command.env_clear().envs(env::minimal());
    command
}

/// A program of one of the packages.
#[track_caller]
pub fn tool(name: &str) -> Command {
    let mut command = node();
    command.arg(packages().join("node_modules/.bin").join(name));
    command
}

/// Lets scripts in this directory import the packages.
#[track_caller]
pub fn link_packages(directory: &Path) {
    let link = directory.join("node_modules");
    symlink(packages().join("node_modules"), &link).unwrap_or_else(|e| panic!("cannot make {}: {e}", link.display()));
}
