//! Release builds of the benchmark's binaries and the service.

use std::path::PathBuf;

use test_harness::scratch;

use crate::{paint, release_build};

/// The paths of the binaries.
#[derive(Clone)]
pub struct Built {
    pub load: PathBuf,
    pub service: PathBuf,
    pub peers: PathBuf,
    pub api: PathBuf,
    pub app: PathBuf,
}

/// A package, and its workspace.
#[derive(Clone, Copy)]
pub struct Package {
    name: &'static str,
    workspace: &'static str,
}

const BENCH: &str = "crates/bench";
pub const LOAD: Package = Package { name: "bench", workspace: BENCH };
pub const SERVICE: Package = Package { name: "bench-service", workspace: BENCH };
pub const PEERS: Package = Package { name: "bench-peers", workspace: BENCH };
pub const API: Package = Package { name: "bench-api", workspace: "crates/bench/api" };
pub const APP: Package = Package { name: "app", workspace: "" };

/// Builds these packages. Separately, because in a common build each package would get the others' features.
pub fn packages(packages: &[Package]) -> Result<Built, String> {
    for package in packages {
        build(package)?;
    }
    let binary = |name| release_build::target().join("release").join(name);
    Ok(Built {
        load: binary("bench-load"),
        service: binary("bench-service"),
        peers: binary("bench-peers"),
        api: binary("bench-api"),
        app: binary("app"),
    })
}

fn build(package: &Package) -> Result<(), String> {
    let Package { name, workspace } = package;
    super::log(&paint::dim(&format!("building {name} (takes minutes the first time)")));
    let mut command = release_build::cargo_build()?;
    command.args(["--quiet", "--release", "--package", name, "--manifest-path"]);
    command.arg(scratch::workspace().join(workspace).join("Cargo.toml"));
    let status = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    status.success().then_some(()).ok_or_else(|| format!("cannot build {name}"))
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
    fn the_bench_uses_the_crate_versions_of_the_release() {
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
