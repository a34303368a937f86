//! The bench's own binaries, built for release.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{paint, scratch};

/// Where the binaries are.
pub struct Built {
    pub load: PathBuf,
    pub service: PathBuf,
    pub peers: PathBuf,
}

/// For comparing servers.
pub const EVERYTHING: [&str; 3] = ["bench", "bench-service", "bench-peers"];
/// For the service alone.
pub const SERVICE: [&str; 2] = ["bench", "bench-service"];

/// Builds what is missing or stale of these packages. Each by itself: built together, each would have the others' features.
pub fn packages(names: &[&str]) -> Result<Built, String> {
    let target = scratch::target().join("bench");
    for package in names {
        build(package, &target)?;
    }
    let binary = |name| target.join("release").join(name);
    Ok(Built { load: binary("bench-load"), service: binary("bench-service"), peers: binary("bench-peers") })
}

fn build(package: &str, target: &Path) -> Result<(), String> {
    super::say(&paint::dim(&format!("builds {package}, for minutes the first time")));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--release", "--package", package, "--target-dir"]).arg(target);
    command.arg("--manifest-path").arg(scratch::workspace().join("crates/bench/Cargo.toml"));
    let status = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    status.success().then_some(()).ok_or_else(|| format!("{package} does not build"))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn versions(lock: &str) -> BTreeMap<String, BTreeSet<String>> {
        let text = scratch::read(&scratch::workspace().join(lock));
        let mut versions = BTreeMap::<String, BTreeSet<String>>::new();
        let value = |line: Option<&str>, key: &str| {
            let value = line.and_then(|line| line.strip_prefix(key)).expect("a package has a name, then a version");
            value.trim_matches(['"', ' ', '=']).to_owned()
        };
        for package in text.split("[[package]]\n").skip(1) {
            let mut lines = package.lines();
            let name = value(lines.next(), "name");
            versions.entry(name).or_default().insert(value(lines.next(), "version"));
        }
        versions
    }

    #[test]
    fn the_service_is_measured_with_the_crates_that_it_is_released_with() {
        let released = versions("Cargo.lock");
        for (name, measured) in versions("crates/bench/Cargo.lock") {
            let Some(released) = released.get(&name) else { continue };
            assert!(
                measured.is_subset(released),
                "crates/bench/Cargo.lock has {name} {measured:?} and Cargo.lock {released:?}: \
                 run `cargo update --manifest-path crates/bench/Cargo.toml {name} --precise VERSION`"
            );
        }
    }
}
