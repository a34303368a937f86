//! The files of a release.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use test_harness::scratch;

use crate::binaries;

/// What `cargo xtask dist` wrote.
pub struct Dist {
    directory: PathBuf,
    /// Its answer: version, build id, files.
    pub answer: Value,
}

/// The release of the present sources: made on first use in each process. Where nothing has changed, that takes seconds.
///
/// # Panics
/// If it cannot be made, with the reason.
#[track_caller]
pub fn dist() -> &'static Dist {
    static DIST: OnceLock<Result<Dist, String>> = OnceLock::new();
    let made = DIST.get_or_init(|| {
        let mut xtask = Command::new(binaries::xtask());
        xtask.args(["dist", "--json"]).current_dir(scratch::workspace());
        let output = xtask.output().map_err(|error| format!("cannot run xtask: {error}"))?;
        if !output.status.success() {
            return Err(format!("cargo xtask dist failed:\n{}", String::from_utf8_lossy(&output.stderr)));
        }
        let answer: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("its answer: {error}"))?;
        let directory = answer["directory"].as_str().ok_or("its answer names no directory")?.into();
        Ok(Dist { directory, answer })
    });
    made.as_ref().unwrap_or_else(|why| panic!("{why}"))
}

impl Dist {
    /// The path of a file of the release.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The stripped binary of the service.
    pub fn app(&self) -> PathBuf {
        self.path("app")
    }

    /// The Debian package.
    #[track_caller]
    pub fn package(&self) -> PathBuf {
        let package = self.paths().into_iter().find(|path| path.extension().is_some_and(|it| it == "deb"));
        package.unwrap_or_else(|| panic!("the release has no Debian package: {}", self.answer))
    }

    /// All files, relative to the directory.
    pub fn names(&self) -> Vec<&str> {
        let files = self.answer["files"].as_array();
        files.into_iter().flatten().filter_map(|file| file["path"].as_str()).collect()
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.names().into_iter().map(|name| self.path(name)).collect()
    }

    /// The directory of the release.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}
