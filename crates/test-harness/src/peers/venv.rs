//! The Python packages that the peers, and one of the tests' tools, come from.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::prepared::{prepared, run};

// gunicorn comes with bugsink anyway, but is started with an option that came and may go.
const PEERS: [&str; 3] = ["supervisor==4.3.0", "bugsink==2.6.1", "gunicorn==26.2.0"];
const SCHEMATHESIS: [&str; 1] = ["schemathesis==4.32.5"];
const CLIENTS: [&str; 2] = ["openapi-python-client==0.29.1", "mypy==2.4.1"];

/// The Python of a virtual environment that has the pinned packages. Start their programs with `-m`: the scripts beside
/// it hold absolute paths, which break when the target directory is moved.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    set_up(&PYTHON, "venv", &PEERS)
}

/// The Python of another one, with schemathesis.
pub fn schemathesis() -> &'static Path {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    set_up(&PYTHON, "schemathesis", &SCHEMATHESIS)
}

/// The Python of another one, with a generator of clients and a type checker.
pub fn clients() -> &'static Path {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    set_up(&PYTHON, "clients", &CLIENTS)
}

fn set_up(python: &'static OnceLock<Result<PathBuf, String>>, name: &str, pins: &[&str]) -> &'static Path {
    python.get_or_init(|| python_with(name, pins)).as_deref().unwrap_or_else(|why| panic!("{why}"))
}

/// The Python of a virtual environment of this name that has these packages.
///
/// # Errors
/// In a sentence with the mend, when it cannot be made.
pub fn python_with(name: &str, pins: &[&str]) -> Result<PathBuf, String> {
    Ok(prepared(name, pins, |dir| make(dir, pins))?.join("bin/python"))
}

fn make(dir: &Path, pins: &[&str]) -> Result<(), String> {
    let mend = "python3 with its venv module is needed: apt-get install python3-venv";
    run("python3", [OsStr::new("-m"), OsStr::new("venv"), dir.as_os_str()]).map_err(|why| format!("{mend} ({why})"))?;

    let pip = ["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "install", "--retries=2"];
    run(dir.join("bin/python"), pip.iter().chain(pins))
        .map_err(|why| format!("pip must be able to install {} from PyPI: see to the network ({why})", pins.join(" ")))
}
