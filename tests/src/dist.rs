//! The files of a release.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::{binaries, scratch};

/// The binary that packages and images contain: `DIST_BINARY` if it is set, else that of `cargo xtask dist`, else the tests' own
/// build, stripped.
pub fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let find = || {
        let released = scratch::target().join("dist/app");
        let released = env::var_os("DIST_BINARY").map(PathBuf::from).or_else(|| released.is_file().then_some(released));
        released.unwrap_or_else(stripped)
    };
    BINARY.get_or_init(find).clone()
}

fn stripped() -> PathBuf {
    let directory = scratch::target().join("peers/dist");
    scratch::make_dir(&directory);
    let (new, binary) = (directory.join(format!("app-{}", std::process::id())), directory.join("app"));
    let status = Command::new("objcopy").arg("--strip-all").arg(binaries::app()).arg(&new).status();
    assert!(status.is_ok_and(|it| it.success()), "objcopy is needed: apt-get install binutils");
    fs::rename(&new, &binary).unwrap_or_else(|e| panic!("cannot make {}: {e}", binary.display()));
    binary
}
