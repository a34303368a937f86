//! The manifests of `deploy/kubernetes`: checked by tools, compared with the running service, and run.
//!
//! There is no cluster here. The kubelet, the endpoints of a Service, the ingress controller and the container runtime's log files
//! are simulated; `pod.rs` and `ingress.rs` say how.

mod checks;
mod cri;
mod ingress;
mod manifests;
mod pod;
mod rollout;
mod settings;
mod traffic;

use std::path::PathBuf;
use std::process::Command;

use system_tests::peers::kubectl;
use system_tests::process_guard;
use system_tests::scratch::{Scratch, workspace};

/// The overlays.
const OVERLAYS: [&str; 2] = ["one", "split"];

/// A shell with the tools, in a directory that has the repository's `deploy`.
#[track_caller]
fn shell(scratch: &Scratch, script: &str) -> Command {
    let deploy = scratch.join("deploy");
    if !deploy.exists() {
        std::os::unix::fs::symlink(workspace().join("deploy"), &deploy).expect("a new directory is writable");
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([kubectl::directory().to_owned()].into_iter().chain(std::env::split_paths(&path)));
    let mut command = process_guard::command("sh");
    command.args(["-e", "-c", script]).current_dir(scratch.path()).env("HOME", scratch.path());
    command.env("PATH", path.expect("the target directory's path has no colon"));
    command
}

/// The path of a file of the deployment.
fn deployed(path: &str) -> PathBuf {
    workspace().join("deploy/kubernetes").join(path)
}
