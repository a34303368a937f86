//! Servers in other languages, if their runtimes are installed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use test_harness::peers::prepared::prepared;
use test_harness::peers::venv;
use test_harness::scratch;

use super::program::Program;

const NODE_PINS: [&str; 2] = ["fastify@5.12.8", "pino@10.4.0"];
const PYTHON_PINS: [&str; 3] = ["flask==3.1.3", "gunicorn==26.2.0", "sentry-sdk==2.75.0"];

/// The locations of their packages.
#[derive(Default)]
pub struct OtherLanguages {
    node_modules: Option<PathBuf>,
    python: Option<PathBuf>,
}

impl OtherLanguages {
    /// Installs the packages. Also returns a line for each server that cannot be set up.
    pub fn set_up() -> (Self, Vec<String>) {
        let mut missing = Vec::new();
        let mut or_record = |found: Result<PathBuf, String>, server: &str| {
            found.map_err(|why| missing.push(format!("skipping {server}: {why}"))).ok()
        };
        let node_modules = or_record(node_modules(), "Fastify");
        let python = or_record(venv::python_with("flask", &PYTHON_PINS), "Flask");
        (Self { node_modules, python }, missing)
    }

    pub fn has_fastify(&self) -> bool {
        self.node_modules.is_some()
    }

    pub fn has_flask(&self) -> bool {
        self.python.is_some()
    }

    pub fn fastify(&self, port: &str) -> Program {
        let mut program = Program::new(Path::new("node"), &[]);
        program.argv.extend([bench("other-languages/fastify.js"), port.into(), bench("bodies/order.json")]);
        program.env = vec![("NODE_PATH".into(), self.node_modules.clone().unwrap_or_default().into())];
        program.env.push(("NODE_ENV".into(), "production".into()));
        program
    }

    pub fn flask(&self, port: &str, dsn: &str) -> Program {
        let args = ["-m", "gunicorn", "--workers=1", "--worker-class=gthread", "--threads=4", "--keep-alive=75"];
        let mut program = Program::new(self.python.as_deref().unwrap_or(Path::new("python3")), &args);
        program.argv.extend([format!("--bind=127.0.0.1:{port}").into(), "--no-control-socket".into()]);
        program.argv.extend(["--chdir".into(), bench("other-languages"), "flask_app:app".into()]);
        program.env = vec![("SENTRY_DSN".into(), dsn.into()), ("ORDER".into(), bench("bodies/order.json"))];
        // No `__pycache__` in the checkout.
        program.env.push(("PYTHONDONTWRITEBYTECODE".into(), "1".into()));
        program
    }
}

fn bench(path: &str) -> OsString {
    scratch::workspace().join("crates/bench").join(path).into()
}

fn node_modules() -> Result<PathBuf, String> {
    let dir = prepared("node", NODE_PINS, |dir| {
        scratch::write(&dir.join("package.json"), r#"{"private": true}"#);
        let mut npm = Command::new("npm");
        npm.args(["install", "--save-exact", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        let installed = npm.args(NODE_PINS).current_dir(dir).output();
        let installed =
            installed.map_err(|error| format!("cannot run npm: {error}; install it with `apt-get install npm`"))?;
        let stderr = String::from_utf8_lossy(&installed.stderr);
        let hint = format!("npm cannot install {}; check the network", NODE_PINS.join(" "));
        match installed.status.success() {
            true => Ok(()),
            false => Err(format!("{hint} ({})", stderr.trim().lines().next().unwrap_or_default())),
        }
    })?;
    Ok(dir.join("node_modules"))
}
