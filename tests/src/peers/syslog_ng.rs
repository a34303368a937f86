//! A real syslog-ng. Debian's packages of syslog-ng and rsyslog exclude each other, so this one is unpacked, and not installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use test_harness::peers::prepared::{prepared, run};

use crate::process_guard;
use crate::scratch::Scratch;

/// The package, and the libraries that it brings along.
const PACKAGES: [&str; 7] =
    ["syslog-ng-core", "libivykis0", "libnet1", "libwrap0", "libpcre3", "libjson-c5", "libglib2.0-0"];
const MODULES: &str = "usr/lib/syslog-ng/3.38";

/// A command for [`crate::process_guard::ProcessGuard::spawn`] that runs it in the foreground, with its state in the directory.
#[track_caller]
pub fn command(configuration: &Path, state: &Scratch) -> Command {
    static ROOT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let root = ROOT.get_or_init(|| prepared("syslog-ng", PACKAGES, unpack));
    let root = root.as_deref().unwrap_or_else(|why| panic!("{why}"));
    let libraries =
        ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/syslog-ng"].map(|path| root.join(path));
    let libraries = std::env::join_paths(libraries).expect("the target directory's path has no colon");
    let mut command = process_guard::command(root.join("usr/sbin/syslog-ng"));
    command.env("LD_LIBRARY_PATH", libraries).args(["--foreground", "--no-caps", "--stderr", "--cfgfile"]);
    command.arg(configuration).arg("--module-path").arg(root.join(MODULES));
    let file = |name| state.join(name);
    command.arg("--persist-file").arg(file("persist")).arg("--pidfile").arg(file("pid"));
    command.arg("--control").arg(file("control"));
    command
}

fn unpack(root: &Path) -> Result<(), String> {
    let hint = "syslog-ng is needed: apt-get, dpkg and Debian's package lists (apt-get update)";
    let download = format!("cd \"$0\" && apt-get --quiet download {}", PACKAGES.join(" "));
    let root_text = root.to_str().expect("the target directory's path must be UTF-8");
    run("sh", ["-c", &download, root_text]).map_err(|why| format!("{hint} ({why})"))?;
    let files = fs::read_dir(root).map_err(|e| format!("{hint} ({e})"))?;
    for package in files.filter_map(|entry| Some(entry.ok()?.path())) {
        run("dpkg", ["-x".as_ref(), package.as_os_str(), root.as_os_str()]).map_err(|why| format!("{hint} ({why})"))?;
    }
    Ok(())
}
