//! One measurement: a fresh server, its load, and what both used.

use serde_json::{Value, json};
use test_harness::{figures, ports};

use super::build::Built;
use super::cores::Cores;
use super::foreign::Foreign;
use super::load::{Load, Said};
use super::plan::{Length, ORDER, Scenario, Sink};
use super::running::Running;
use super::sentry_sink;
use super::server::Server;

const SOAK_CONNECTIONS: usize = 64;
const SOAK_FEW: u64 = 100_000;
const SOAK_MANY: u64 = 1_000_000;

/// What measurements need.
pub struct Bench {
    cores: Cores,
    built: Built,
    foreign: Foreign,
    dsn: String,
}

/// What one measurement came to.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub body_bytes: usize,
    pub requests: f64,
    pub seconds: f64,
    pub errors: u64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub server_cpu_s: f64,
    pub supervisord_cpu_s: Option<f64>,
    /// Calls of `write` by the server.
    pub writes: f64,
    pub peak_mib: f64,
}

/// What the service held in memory after 100,000 requests, and after a million.
pub struct Soak {
    pub few_mib: f64,
    pub many_mib: f64,
}

impl Soak {
    pub fn json(&self) -> Value {
        json!({
            "server": Server::Both.name(),
            "path": ORDER.path,
            "connections": SOAK_CONNECTIONS,
            "sink": Sink::Pipe.name(),
            "soak_requests": SOAK_MANY,
            "rss_mib_after_100k": self.few_mib,
            "rss_mib_after_1m": self.many_mib,
        })
    }
}

impl Sample {
    /// What the load says; of the processes that it watched this one is supervisord, the others the server's.
    pub fn of(said: &Said, body_bytes: usize, supervisord: Option<u32>) -> Self {
        let (supervisord, servers): (Vec<_>, Vec<_>) =
            said.watched.iter().partition(|watched| Some(watched.pid) == supervisord);
        Self {
            body_bytes,
            requests: said.requests as f64,
            seconds: said.seconds,
            errors: said.errors,
            p50_us: said.p50_us,
            p99_us: said.p99_us,
            server_cpu_s: servers.iter().map(|server| server.cpu_s).sum(),
            supervisord_cpu_s: supervisord.first().map(|supervisord| supervisord.cpu_s),
            writes: servers.iter().map(|server| server.writes as f64).sum(),
            peak_mib: servers.iter().map(|server| server.peak_kib as f64 / 1024.0).sum(),
        }
    }

    pub fn requests_per_s(&self) -> f64 {
        self.requests / self.seconds
    }
}

impl Bench {
    pub fn new(cores: Cores, built: Built, foreign: Foreign) -> Result<Self, String> {
        Ok(Self { cores, built, foreign, dsn: sentry_sink::start()? })
    }

    pub fn measure(&self, scenario: &Scenario, length: Length) -> Result<Sample, String> {
        let port = ports::free();
        let program = scenario.server.program(&self.built, &self.foreign, port, &self.dsn);
        let path = format!("/bench/{}", scenario.content.path);
        let mut running = match scenario.sink {
            Sink::Pipe => Running::alone(program)?,
            Sink::Supervisord => Running::supervised(&program),
        };
        let body_bytes = running.wait_ready(port, &path)?;
        let servers = running.servers();
        for &pid in &servers {
            self.cores.give_server_core(pid)?;
        }
        let supervisord = running.supervisord();
        let load = Load::new(&self.built.load, port, &path, body_bytes, scenario.connections);
        let watch: Vec<u32> = servers.iter().copied().chain(supervisord).collect();
        let said = load.window(scenario.server.warm_up(length.warm_up), length.seconds).watch(&watch).run()?;
        if said.requests == 0 {
            return Err(format!("no request was answered\n{}", running.said()));
        }
        Ok(Sample::of(&said, body_bytes, supervisord))
    }

    /// What the service holds in memory after so many requests, and after more: in MiB.
    pub fn soak(&self) -> Result<Soak, String> {
        let port = ports::free();
        let program = Server::Both.program(&self.built, &self.foreign, port, &self.dsn);
        let path = format!("/bench/{}", ORDER.path);
        let mut running = Running::alone(program)?;
        let body_bytes = running.wait_ready(port, &path)?;
        let pid = running.servers()[0];
        self.cores.give_server_core(pid)?;
        let after = |requests: u64| {
            let said =
                Load::new(&self.built.load, port, &path, body_bytes, SOAK_CONNECTIONS).requests(requests).run()?;
            match said.errors {
                0 => Ok(figures::memory(pid).0),
                errors => Err(format!("{errors} errors in {requests} requests\n{}", running.said())),
            }
        };
        Ok(Soak { few_mib: after(SOAK_FEW)?, many_mib: after(SOAK_MANY - SOAK_FEW)? })
    }
}
