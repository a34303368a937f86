//! A run of the load generator.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

pub struct Load(Command);

/// Its output.
#[derive(Deserialize)]
pub struct LoadResult {
    pub requests: u64,
    pub seconds: f64,
    pub errors: u64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub watched: Vec<Watched>,
}

#[derive(Deserialize)]
pub struct Watched {
    pub pid: u32,
    pub cpu_s: f64,
    pub writes: u64,
    pub peak_kib: u64,
}

impl Load {
    pub fn new(binary: &Path, port: u16, path: &str, body_bytes: usize, connections: usize) -> Self {
        let mut command = Command::new(binary);
        command.args(["--port", &port.to_string(), "--path", path, "--body-bytes", &body_bytes.to_string()]);
        command.args(["--connections", &connections.to_string()]).stderr(Stdio::inherit());
        Self(command)
    }

    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.0.args(["--method", method]);
        self
    }

    /// Adds a header; `{unique}` in it is replaced by a number unique to each request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0.args(["--header", &format!("{name}: {value}")]);
        self
    }

    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        self.0.args(["--body", body]);
        self
    }

    /// Sets the expected status of each response; 200 by default.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.0.args(["--status", &status.to_string()]);
        self
    }

    /// Measures for this many seconds after the warm-up.
    #[must_use]
    pub fn window(mut self, warm_up: f64, seconds: f64) -> Self {
        self.0.args(["--warm-up", &warm_up.to_string(), "--seconds", &seconds.to_string()]);
        self
    }

    /// Sends this number of requests.
    #[must_use]
    pub fn requests(mut self, requests: u64) -> Self {
        self.0.args(["--requests", &requests.to_string()]);
        self
    }

    /// Also measures these processes.
    #[must_use]
    pub fn watch(mut self, pids: &[u32]) -> Self {
        let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
        self.0.args(["--watch", &pids.join(",")]);
        self
    }

    pub fn run(mut self) -> Result<LoadResult, String> {
        let output = self.0.output().map_err(|error| format!("cannot run the load generator: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text).map_err(|_| format!("invalid output of the load generator: {}", text.trim()))
    }
}
