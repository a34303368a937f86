//! The probe as a child of supervisord.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use system_tests::http::Client;
use system_tests::peers::supervisor::Supervisor;
use system_tests::peers::supervisor_conf::{Program, conf};
use system_tests::scratch::{self, Scratch};
use system_tests::{ports, records, wait};

use crate::support::probe_app;

/// One child: its directory, which contains its log, and its ports.
pub struct Child {
    pub name: String,
    pub directory: PathBuf,
    port: u16,
    management_port: u16,
    environment: Vec<(String, String)>,
}

impl Child {
    pub fn new(scratch: &Scratch, name: &str, environment: &[(&str, &str)]) -> Self {
        let directory = scratch.join(name);
        scratch::make_dir(&directory);
        let environment = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let (port, management_port) = (ports::free(), ports::free());
        Self { name: name.to_owned(), directory, port, management_port, environment: environment.collect() }
    }

    pub fn program(&self) -> Program {
        let mut environment = self.environment.clone();
        environment.push(("APP__SERVER__PORT".into(), self.port.to_string()));
        environment.push(("APP__SERVER__WORKERS".into(), "1".into()));
        environment.push(("APP__MANAGEMENT__PORT".into(), self.management_port.to_string()));
        Program {
            environment,
            directory: Some(self.directory.clone()),
            stdout_logfile: Some(self.log()),
            ..Program::new(&self.name, &probe_app().display().to_string())
        }
    }

    pub fn wait_live(&self) {
        wait_live(self.management_port);
    }

    pub fn client(&self) -> Client {
        Client::new(self.port)
    }

    pub fn management(&self) -> Client {
        Client::new(self.management_port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn log(&self) -> PathBuf {
        self.directory.join("app.log")
    }

    /// The records that supervisord collected; requires that the child has ended.
    pub fn records(&self) -> Vec<Value> {
        records::parse_all(&scratch::read(&self.log()))
    }
}

pub fn wait_live(management_port: u16) {
    let live = Client::new(management_port).get("/health/live");
    wait::until("the probe to be live", Duration::from_secs(60), || live.clone().try_send().ok());
}

/// One child with its supervisord.
pub struct Supervised {
    pub child: Child,
    pub supervisor: Supervisor,
    pub scratch: Scratch,
}

impl Supervised {
    /// Starts the probe, by default in prod with JSON records, and waits until it is live.
    pub fn start(environment: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new("supervised");
        let child = Child::new(&scratch, "probe", environment);
        let supervisor = Supervisor::start(scratch.path(), &conf(&[child.program()]));
        child.wait_live();
        Self { child, supervisor, scratch }
    }

    /// Stops the child, which flushes its sinks, and returns the records that supervisord collected.
    pub fn stop(&self) -> Vec<Value> {
        self.supervisor.ctl(&["stop", "all"]);
        self.child.records()
    }
}
