//! The Debian package. Its contents are in `crates/app/Cargo.toml`, its scripts and settings in `deploy/debian`.

use std::fs;
use std::path::Path;
use std::process::Command;

use test_harness::scratch;

use super::documents::MANUAL_DIRECTORY;
use super::tools::{self, Tool};
use super::{DIRECTORY, make_empty, output, progress, require_app};

/// Without its C library for xz: the program of the same name compresses.
const CARGO_DEB: Tool = Tool { name: "cargo-deb", version: "3.8.0", arguments: &["--no-default-features"] };
pub const EXTENSION: &str = ".deb";
const CHANGELOG: &str = "deploy/debian/changelog";
const REVISION: &str = "1";
/// In `crates/app/Cargo.toml`, too.
const COMPRESSED_MANUAL: &str = "man-compressed";

pub fn make(dist: &Path, date: u64) -> Result<(), String> {
    require_app(dist)?;
    check_changelog()?;
    let cargo_deb = tools::program(&CARGO_DEB)?;
    progress("making the Debian package");
    remove_packages(dist)?;
    let compressed = dist.join(COMPRESSED_MANUAL);
    make_empty(&compressed)?;
    compress_manual(dist, &compressed)?;
    let mut command = Command::new(cargo_deb);
    command.args(["--package", "app", "--locked", "--no-build", "--no-strip", "--compress-system"]);
    command.args(["--deb-revision", REVISION, "--output"]).arg(dist);
    // Makes `target/release` in Cargo.toml the directory of the release.
    command.args(["--profile", DIRECTORY]).env("CARGO_TARGET_DIR", scratch::target());
    command.env("SOURCE_DATE_EPOCH", date.to_string()).current_dir(scratch::workspace());
    output(command)?;
    fs::remove_dir_all(&compressed).map_err(|error| format!("cannot remove {}: {error}", compressed.display()))
}

/// As Debian requires. cargo-deb compresses only files of the sources.
fn compress_manual(dist: &Path, compressed: &Path) -> Result<(), String> {
    let manual = dist.join(MANUAL_DIRECTORY);
    let failed =
        |error| format!("cannot read {} (`cargo xtask dist --only documents` writes it): {error}", manual.display());
    for entry in fs::read_dir(&manual).map_err(failed)? {
        let page = entry.map_err(failed)?;
        let copy = compressed.join(page.file_name());
        fs::copy(page.path(), &copy).map_err(failed)?;
        let mut gzip = Command::new("gzip");
        gzip.args(["-9", "--no-name"]).arg(copy);
        output(gzip)?;
    }
    Ok(())
}

/// The newest entry of Debian's changelog must be that of the version, or the package would claim to be another one.
fn check_changelog() -> Result<(), String> {
    let path = scratch::workspace().join(CHANGELOG);
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let expected = format!("({}-{REVISION})", env!("CARGO_PKG_VERSION"));
    match text.lines().next().is_some_and(|line| line.contains(&expected)) {
        true => Ok(()),
        false => Err(format!("{CHANGELOG} does not begin with an entry for {expected}: add it")),
    }
}

fn remove_packages(dist: &Path) -> Result<(), String> {
    let failed = |error| format!("cannot remove the former packages in {}: {error}", dist.display());
    for entry in fs::read_dir(dist).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.to_string_lossy().ends_with(EXTENSION) {
            fs::remove_file(path).map_err(failed)?;
        }
    }
    Ok(())
}
