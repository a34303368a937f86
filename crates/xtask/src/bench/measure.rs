//! One measurement: a fresh server, a load, and the resources that both used.

use serde_json::{Value, json};
use test_harness::{figures, ports};

use super::build::Built;
use super::cores::Cores;
use super::load::{Load, LoadResult};
use super::other_languages::OtherLanguages;
use super::plan::{Length, ORDER, Scenario, Sink};
use super::running::RunningServer;
use super::sentry_sink;
use super::server::Server;

const SOAK_CONNECTIONS: usize = 64;
const SOAK_FEW_REQUESTS: u64 = 100_000;
const SOAK_MANY_REQUESTS: u64 = 1_000_000;

/// The prerequisites of measurements.
pub struct Bench {
    cores: Cores,
    built: Built,
    other_languages: OtherLanguages,
    dsn: String,
}

/// The result of one measurement.
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

/// The resident memory of the service after 100,000 and after one million requests.
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
            "soak_requests": SOAK_MANY_REQUESTS,
            "rss_mib_after_100k": self.few_mib,
            "rss_mib_after_1m": self.many_mib,
        })
    }
}

impl Sample {
    /// Converts the output of the load generator. Of the watched processes, one may be supervisord; the others are
    /// servers.
    pub fn of(result: &LoadResult, body_bytes: usize, supervisord: Option<u32>) -> Self {
        let (supervisord, servers): (Vec<_>, Vec<_>) =
            result.watched.iter().partition(|watched| Some(watched.pid) == supervisord);
        Self {
            body_bytes,
            requests: result.requests as f64,
            seconds: result.seconds,
            errors: result.errors,
            p50_us: result.p50_us,
            p99_us: result.p99_us,
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
    pub fn new(cores: Cores, built: Built, other_languages: OtherLanguages) -> Result<Self, String> {
        Ok(Self { cores, built, other_languages, dsn: sentry_sink::start()? })
    }

    pub fn measure(&self, scenario: &Scenario, length: Length) -> Result<Sample, String> {
        let port = ports::free();
        let program = scenario.server.program(&self.built, &self.other_languages, port, &self.dsn);
        let path = format!("/bench/{}", scenario.content.path);
        let mut running = match scenario.sink {
            Sink::Pipe => RunningServer::standalone(program)?,
            Sink::Supervisord => RunningServer::supervised(&program),
        };
        let body_bytes = running.wait_ready(port, &path)?;
        let servers = running.servers();
        for &pid in &servers {
            self.cores.pin_to_server_core(pid)?;
        }
        let supervisord = running.supervisord();
        let load = Load::new(&self.built.load, port, &path, body_bytes, scenario.connections);
        let watch: Vec<u32> = servers.iter().copied().chain(supervisord).collect();
        let result = load.window(scenario.server.warm_up(length.warm_up), length.seconds).watch(&watch).run()?;
        if result.requests == 0 {
            return Err(format!("no request succeeded\n{}", running.stderr_tail()));
        }
        Ok(Sample::of(&result, body_bytes, supervisord))
    }

    /// Measures the memory of the service after some and after more requests.
    pub fn soak(&self) -> Result<Soak, String> {
        let port = ports::free();
        let program = Server::Both.program(&self.built, &self.other_languages, port, &self.dsn);
        let path = format!("/bench/{}", ORDER.path);
        let mut running = RunningServer::standalone(program)?;
        let body_bytes = running.wait_ready(port, &path)?;
        let pid = running.servers()[0];
        self.cores.pin_to_server_core(pid)?;
        let after = |requests: u64| {
            let result =
                Load::new(&self.built.load, port, &path, body_bytes, SOAK_CONNECTIONS).requests(requests).run()?;
            match result.errors {
                0 => Ok(figures::memory(pid).0),
                errors => Err(format!("{errors} errors in {requests} requests\n{}", running.stderr_tail())),
            }
        };
        Ok(Soak { few_mib: after(SOAK_FEW_REQUESTS)?, many_mib: after(SOAK_MANY_REQUESTS - SOAK_FEW_REQUESTS)? })
    }
}
