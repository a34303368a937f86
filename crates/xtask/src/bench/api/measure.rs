//! One measurement: a fresh database, a fresh server with initial data, and a load.

use std::path::PathBuf;

use test_harness::http::Client;
use test_harness::peers::postgres::Postgres;
use test_harness::ports;
use test_harness::scratch::Scratch;

use super::super::build::Built;
use super::super::cores::Cores;
use super::super::load::Load;
use super::super::measure::Sample;
use super::super::plan::{CONNECTIONS, Length};
use super::super::running::RunningServer;
use super::plan::{Database, Scenario};
use super::request::RequestSpec;
use super::seed::{self, seed_database};
use super::server::{program, warm_up};

/// The prerequisites of measurements.
pub struct Bench {
    pub cores: Cores,
    pub built: Built,
    pub python: Option<PathBuf>,
    /// Runs on the load generator's core.
    pub postgres: Option<Postgres>,
}

impl Bench {
    pub fn measure(&self, scenario: &Scenario, length: Length) -> Result<Sample, String> {
        match (scenario.database, &self.postgres) {
            (Database::Postgres, Some(postgres)) => {
                let url = postgres.database();
                let sample = self.measure_on(&url, scenario, length);
                if let Some((_, name)) = url.rsplit_once('/') {
                    postgres.sql(&postgres.url("postgres"), &format!("DROP DATABASE {name} WITH (FORCE)"));
                }
                sample
            }
            (Database::Postgres, None) => Err("PostgreSQL was not started".into()),
            (Database::Sqlite, _) => {
                let scratch = Scratch::new("bench-sqlite");
                self.measure_on(&format!("sqlite://{}", scratch.join("bench.db").display()), scenario, length)
            }
        }
    }

    fn measure_on(&self, database: &str, scenario: &Scenario, length: Length) -> Result<Sample, String> {
        let Scenario { server, operation, .. } = *scenario;
        let port = ports::free();
        let mut running =
            RunningServer::standalone(program(server, &self.built, self.python.as_deref(), port, database))?;
        running.wait("response of the API", || Client::new(port).get("/orders").try_send().ok())?;
        let servers = running.servers();
        for &pid in &servers {
            self.cores.pin_to_server_core(pid)?;
        }
        let with_stderr = |why: String| format!("{why}; its stderr ends with\n{}", running.stderr_tail());
        let spec = RequestSpec::of(operation, &seed_database(server, port).map_err(with_stderr)?, &seed::new_order());
        let body_bytes = spec.check_once(operation, port).map_err(with_stderr)?;
        let load = Load::new(&self.built.load, port, &spec.path, body_bytes, CONNECTIONS);
        let mut load = load.method(spec.method).status(spec.status);
        for (name, value) in &spec.headers {
            load = load.header(name, value);
        }
        if let Some(body) = &spec.body {
            load = load.body(body);
        }
        let load = load.window(warm_up(server, length.warm_up), length.seconds).watch(&servers);
        let measured = load.run().map_err(with_stderr)?;
        if measured.requests == 0 {
            return Err(with_stderr("no request succeeded".into()));
        }
        let sample = Sample::of(&measured, body_bytes, None);
        running.stop();
        Ok(sample)
    }
}
