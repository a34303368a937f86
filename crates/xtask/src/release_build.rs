//! Release builds. The binary contains no directory of the machine: paths in it begin with fixed prefixes instead.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use test_harness::scratch;

/// Where debug information and panic messages place the sources.
const WORKSPACE: &str = "/usr/src/cyanotype";
/// The part of the path from `registry/src` on states that the source is a library's: `in_app` depends on it.
const CARGO_HOME: &str = "/usr/share/cargo";
/// Prefixes of the variables that cargo sets for the programs that it runs. Build scripts that read them would run again
/// after each build without xtask.
const CARGO_VARIABLE_PREFIXES: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// The target directory of all release builds, so that they share their dependencies.
pub fn target() -> PathBuf {
    scratch::target().join("release-builds")
}

/// `cargo build` for a release; add the packages and the profile.
pub fn cargo_build() -> Result<Command, String> {
    build(Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())))
}

/// The same, by a program that has cargo's arguments.
pub fn build(mut command: Command) -> Result<Command, String> {
    let replaced = replaced_prefixes()?;
    command.arg("build").arg("--locked").arg("--target-dir").arg(target());
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| CARGO_VARIABLE_PREFIXES.iter().any(|known| name.starts_with(known))) {
            command.env_remove(name);
        }
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", rust_flags(&replaced)).env("CFLAGS", c_flags(&replaced));
    // Quoted paths in CFLAGS.
    command.env("CC_SHELL_ESCAPED_FLAGS", "1");
    Ok(command)
}

/// Prefixes of this machine's paths with their replacements. Where several match, the last one applies.
fn replaced_prefixes() -> Result<Vec<(PathBuf, String)>, String> {
    let home = || env::home_dir().map(|home| home.join(".cargo"));
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home);
    let cargo_home = cargo_home.ok_or("the directory of cargo's registry is unknown: set CARGO_HOME")?;
    let sources = Path::new(rustc(&["--print", "sysroot"])?.trim()).join("lib/rustlib/src/rust");
    let version = rustc(&["-vV"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    let commit = commit.ok_or_else(|| format!("`rustc -vV` states no commit:\n{version}"))?;
    Ok(vec![
        (sources, format!("/rustc/{commit}")),
        (cargo_home, CARGO_HOME.to_owned()),
        (scratch::workspace(), WORKSPACE.to_owned()),
        (scratch::target(), format!("{WORKSPACE}/target")),
    ])
}

fn rustc(arguments: &[&str]) -> Result<String, String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(arguments).current_dir(scratch::workspace()).output();
    let output = output.map_err(|error| format!("cannot run rustc: {error}"))?;
    if !output.status.success() {
        return Err(format!("rustc {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Flags of the environment, then one for each prefix, separated as `CARGO_ENCODED_RUSTFLAGS` requires.
fn rust_flags(replaced: &[(PathBuf, String)]) -> OsString {
    let mut flags: Vec<OsString> = match (env::var_os("CARGO_ENCODED_RUSTFLAGS"), env::var("RUSTFLAGS")) {
        (Some(encoded), _) if !encoded.is_empty() => vec![encoded],
        (_, Ok(flags)) => flags.split_whitespace().map(OsString::from).collect(),
        _ => vec![],
    };
    for (path, replacement) in replaced {
        flags.push("--remap-path-prefix".into());
        flags.push(concatenated(path, "=", replacement));
    }
    flags.join(OsStr::new("\x1f"))
}

/// The same for C, in the quotes of a shell.
fn c_flags(replaced: &[(PathBuf, String)]) -> OsString {
    let mut flags: Vec<OsString> = env::var_os("CFLAGS").into_iter().collect();
    for (path, replacement) in replaced {
        let mut flag = OsString::from("'-ffile-prefix-map=");
        flag.push(concatenated(path, "=", replacement));
        flag.push("'");
        flags.push(flag);
    }
    flags.join(OsStr::new(" "))
}

fn concatenated(path: &Path, between: &str, replacement: &str) -> OsString {
    let mut text = path.as_os_str().to_owned();
    text.push(between);
    text.push(replacement);
    text
}
