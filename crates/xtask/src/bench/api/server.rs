//! The command lines of the servers.

use std::path::{Path, PathBuf};

use test_harness::peers::venv;
use test_harness::scratch;

use super::super::build::Built;
use super::super::program::Program;
use super::plan::Server;
use super::seed;

const PYTHON_PINS: [&str; 10] = [
    "fastapi==0.165.0",
    "starlette==1.10.0",
    "pydantic==2.14.4",
    "uvicorn==0.54.0",
    "uvloop==0.23.0",
    "httptools==0.9.0",
    "sqlalchemy==2.1.9",
    "greenlet==3.5.6",
    "asyncpg==0.32.0",
    "aiosqlite==0.22.1",
];

/// A Python with FastAPI installed.
pub fn python() -> Result<PathBuf, String> {
    venv::python_with("fastapi", &PYTHON_PINS)
}

pub fn program(server: Server, built: &Built, python: Option<&Path>, port: u16, database: &str) -> Program {
    let port = port.to_string();
    let mut program = match server {
        Server::App => {
            // As in production except for the single worker: with compression, security headers and response records.
            let args = ["--env=prod", "--mode=stderr", "--port", &port, "--set=server.workers=1"];
            let mut program = Program::new(&built.app, &args);
            program.argv.push("--set=management.port=0".into());
            program
        }
        Server::Sqlx | Server::Rusqlite | Server::TokioPostgres => {
            Program::new(&built.api, &[server.name(), "--port", &port])
        }
        Server::Fastapi => {
            let args = ["-m", "uvicorn", "fastapi_app:app", "--port", &port, "--no-access-log", "--app-dir"];
            let mut program = Program::new(python.unwrap_or(Path::new("python3")), &args);
            program.argv.push(scratch::workspace().join("crates/bench/other-languages").into());
            // No `__pycache__` in the checkout.
            program.env.push(("PYTHONDONTWRITEBYTECODE".into(), "1".into()));
            program
        }
    };
    program.env.push(("DATABASE_URL".into(), database.into()));
    program.env.extend(seed::environment());
    program
}

/// Seconds until it reaches its full speed.
pub fn warm_up(server: Server, usual: f64) -> f64 {
    if server == Server::Fastapi { usual.max(1.0) } else { usual }
}
