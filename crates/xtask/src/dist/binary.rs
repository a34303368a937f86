//! The binary without debug information, and the debug file.

use std::fs;
use std::path::Path;
use std::process::Command;

use test_harness::scratch;

use super::tools::{self, Tool};
use super::{make_empty, output, progress};
use crate::release_build;

pub const APP: &str = "app";
pub const DEBUG: &str = "app.debug";
/// Adds the list of dependencies to the binary, which `cargo audit bin` and scanners of images read.
const AUDITABLE: Tool = Tool { name: "cargo-auditable", version: "0.7.7", arguments: &[] };

pub fn make(dist: &Path, profile: &str) -> Result<(), String> {
    let auditable = tools::program(&AUDITABLE)?;
    progress(&format!("building app with the profile {profile} (takes minutes the first time)"));
    let mut cargo = Command::new(auditable);
    cargo.arg("auditable");
    let mut build = release_build::build(cargo)?;
    build.args(["--package", "app", "--bin", "app", "--profile", profile]).current_dir(scratch::workspace());
    let status = build.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err(format!("cannot build app with the profile {profile}; see above"));
    }
    progress("splitting the debug information off");
    // Complete files replace the former ones, which may be in use.
    let unfinished = dist.join("unfinished");
    make_empty(&unfinished)?;
    let [built, copy] = [release_build::target().join(directory(profile)).join(APP), unfinished.join(APP)];
    fs::copy(&built, &copy).map_err(|error| format!("cannot copy {}: {error}", built.display()))?;
    let mut split = Command::new(scratch::workspace().join("deploy/debug-files/split"));
    split.arg(&copy);
    output(split).map_err(|why| format!("{why} (objcopy is in the package binutils)"))?;
    for name in [APP, DEBUG] {
        let (from, to) = (unfinished.join(name), dist.join(name));
        fs::rename(from, &to).map_err(|error| format!("cannot write {}: {error}", to.display()))?;
    }
    fs::remove_dir(&unfinished).map_err(|error| format!("cannot remove {}: {error}", unfinished.display()))
}

/// The directory of a profile's results. Cargo's own profiles share two.
fn directory(profile: &str) -> &str {
    match profile {
        "dev" | "test" => "debug",
        "bench" => "release",
        own => own,
    }
}

/// The build id of a binary or a debug file.
pub fn build_id(file: &Path) -> Result<String, String> {
    let mut readelf = Command::new("readelf");
    readelf.arg("--notes").arg(file);
    let notes = output(readelf)?;
    let id = notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: "));
    id.map(str::to_owned).ok_or_else(|| format!("{} has no build id", file.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_profile_has_its_directory() {
        let profiles = ["dev", "test", "release", "bench", "small"];
        assert_eq!(profiles.map(super::directory), ["debug", "debug", "release", "release", "small"]);
    }
}
