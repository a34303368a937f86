//! Cargo's subcommands that a release needs, in pinned versions with their own lock files. Debug builds of them take half the
//! time of release builds, and their work takes seconds.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use test_harness::scratch;

use super::progress;

pub struct Tool {
    pub name: &'static str,
    pub version: &'static str,
    /// Further arguments of `cargo install`.
    pub arguments: &'static [&'static str],
}

/// The program, installed in `target/tools` on first use.
pub fn program(tool: &Tool) -> Result<PathBuf, String> {
    let Tool { name, version, arguments } = tool;
    let tools = scratch::target().join("tools");
    let root = tools.join(format!("{name}-{version}"));
    let program = root.join("bin").join(name);
    if program.is_file() {
        return Ok(program);
    }
    progress(&format!("installing {name} {version} (takes half a minute)"));
    let mut install = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    install.args(["install", "--quiet", "--locked", "--debug", "--root"]).arg(&root);
    install.arg("--target-dir").arg(tools.join("build")).arg(format!("{name}@{version}")).args(*arguments);
    install.current_dir(scratch::workspace()).env("CARGO_PROFILE_DEV_DEBUG", "false");
    let status = install.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    status.success().then_some(program).ok_or_else(|| format!("cannot install {name} {version}; see above"))
}
