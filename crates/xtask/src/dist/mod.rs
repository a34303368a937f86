//! `cargo xtask dist`: the files of a release, in `target/dist`.

mod binary;
mod checksums;
mod documents;
mod package;
mod tools;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::ValueEnum;
use serde_json::json;
use test_harness::scratch;

use crate::{paint, print};

/// Write the files of a release to target/dist: binary, debug file, completions, manual pages, Debian package, checksums
///
/// The binary is stripped; app.debug has its debug information, and the same build id. Dates in the files are those of the last
/// commit, or SOURCE_DATE_EPOCH.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Cargo profile of the binary
    #[arg(long, value_name = "NAME", default_value = "release")]
    profile: String,
    /// Make only these parts, from the present other ones [default: all]
    #[arg(long, value_name = "PART", value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Print the version, the build id and the files with sizes and checksums as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// app, stripped, and app.debug
    Binary,
    /// Shell completions and manual pages, written by the binary
    Documents,
    /// The Debian package
    Package,
}

/// The directory of the files. Cargo's would have the same path for a profile named `dist`.
const DIRECTORY: &str = "dist";

pub fn run(args: &Args) -> Result<(), String> {
    let dist = scratch::target().join(DIRECTORY);
    fs::create_dir_all(&dist).map_err(|error| format!("cannot make {}: {error}", dist.display()))?;
    let date = source_date()?;
    let wants = |part| args.only.is_empty() || args.only.contains(&part);
    if wants(Part::Binary) {
        binary::make(&dist, &args.profile)?;
    }
    if wants(Part::Documents) {
        documents::make(&dist, date)?;
    }
    if wants(Part::Package) {
        package::make(&dist, date)?;
    }
    let files = checksums::write(&dist)?;
    if args.json {
        let files: Vec<_> =
            files.iter().map(|f| json!({"path": f.path, "bytes": f.bytes, "sha256": f.sha256})).collect();
        let answer = json!({
            "directory": dist,
            "version": env!("CARGO_PKG_VERSION"),
            "build_id": binary::build_id(&dist.join(binary::APP))?,
            "source_date_epoch": date,
            "files": files,
        });
        return print::answer(&serde_json::to_string_pretty(&answer).map_err(|error| error.to_string())?);
    }
    let lines =
        files.iter().map(|file| format!("{:>9.1} KB  {}", file.bytes as f64 / 1e3, dist.join(&file.path).display()));
    print::answer(&lines.collect::<Vec<_>>().join("\n"))
}

/// The date of files in seconds since 1970.
fn source_date() -> Result<u64, String> {
    let text = match env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => {
            let mut git = std::process::Command::new("git");
            git.args(["log", "-1", "--format=%ct"]).current_dir(scratch::workspace());
            output(git)
                .map_err(|why| format!("the date of the last commit is unknown: set SOURCE_DATE_EPOCH ({why})"))?
        }
    };
    text.trim().parse().map_err(|_| format!("SOURCE_DATE_EPOCH must be seconds since 1970, not {text:?}"))
}

/// Runs a program and returns its standard output. The error has what it wrote to stderr.
fn output(mut command: std::process::Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot run {name}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// Removes a directory with its content, and makes it again.
fn make_empty(directory: &Path) -> Result<(), String> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(format!("cannot remove {}: {error}", directory.display()));
        }
        _ => {}
    }
    fs::create_dir_all(directory).map_err(|error| format!("cannot make {}: {error}", directory.display()))
}

/// The binary of an earlier step.
fn require_app(dist: &Path) -> Result<PathBuf, String> {
    let app = dist.join(binary::APP);
    match app.is_file() {
        true => Ok(app),
        false => Err(format!("{} does not exist: run `cargo xtask dist --only binary`", app.display())),
    }
}

fn progress(step: &str) {
    // A failure to write to stderr cannot be reported.
    let _ = writeln!(io::stderr(), "{}", paint::dim(step));
}
