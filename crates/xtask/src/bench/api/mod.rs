//! `cargo xtask bench --api`: benchmarks of the real API with its database, against the same API written by hand.
//!
//! The server runs on one core; the load generator and PostgreSQL share another. Only the CPU of the server is counted.

mod measure;
mod plan;
mod report;
mod request;
mod row;
mod seed;
mod server;

use std::path::PathBuf;

use serde_json::Value;

use super::build::{self, Built, Package};
use super::cores::Cores;
use super::plan::Length;
use super::{log, rounds};
use crate::{documents, print};
use measure::Bench;
use plan::{Database, Scenario, Server};
use row::Row;
use test_harness::peers::postgres::Postgres;

/// The document with the table, and the name of its marks.
const DOCUMENT: &str = "docs/BENCHMARKS.md";
const MARK: &str = "bench of the API";

/// The scenarios and their timing.
pub struct Plan {
    scenarios: Vec<Scenario>,
    length: Length,
    python: Option<PathBuf>,
}

/// The names of the servers.
pub fn names() -> impl Iterator<Item = &'static str> {
    Server::ALL.into_iter().map(Server::name)
}

impl Plan {
    pub fn new(quick: bool, wanted: impl Fn(&str) -> bool) -> Self {
        let (mut scenarios, length) = if quick { (plan::quick(), plan::QUICK) } else { (plan::full(), Length::FULL) };
        scenarios.retain(|scenario| wanted(scenario.server.name()));
        Self { scenarios, length, python: None }
    }

    pub fn is_empty(&self) -> bool {
        self.scenarios.is_empty()
    }

    /// The packages to build.
    pub fn packages(&self) -> Vec<Package> {
        let is_requested = |server| self.scenarios.iter().any(|scenario| scenario.server == server);
        let mut packages = Vec::new();
        if is_requested(Server::App) {
            packages.push(build::APP);
        }
        if [Server::Sqlx, Server::Rusqlite, Server::TokioPostgres].into_iter().any(is_requested) {
            packages.push(build::API);
        }
        packages
    }

    /// Sets up FastAPI, or skips its scenarios.
    pub fn prepare(&mut self) {
        if !self.scenarios.iter().any(|scenario| scenario.server == Server::Fastapi) {
            return;
        }
        match server::python() {
            Ok(python) => self.python = Some(python),
            Err(why) => {
                log(&format!("skipping FastAPI: {why}"));
                self.scenarios.retain(|scenario| scenario.server != Server::Fastapi);
            }
        }
    }

    /// Measures all scenarios and prints the table.
    pub fn run(self, cores: Cores, built: Built, requested_rounds: Option<u8>) -> Result<Measured, String> {
        let needs_postgres = self.scenarios.iter().any(|scenario| scenario.database == Database::Postgres);
        let postgres = needs_postgres.then(Postgres::start_own);
        let bench = Bench { cores, built, python: self.python, postgres };
        let count = requested_rounds.map_or(self.length.rounds, usize::from);
        let samples = rounds(&self.scenarios, count, |scenario| bench.measure(scenario, self.length))?;
        let rows: Vec<Row> =
            self.scenarios.iter().zip(&samples).map(|(scenario, samples)| Row::of(scenario, samples)).collect();
        print::answer(&report::text(&rows))?;
        for warning in row::warnings(&rows) {
            log(&warning);
        }
        Ok(Measured(rows))
    }
}

pub struct Measured(Vec<Row>);

impl Measured {
    pub fn json(&self) -> impl Iterator<Item = Value> {
        self.0.iter().map(Row::json)
    }

    /// Writes the table into its document.
    pub fn update_document(&self) {
        if let Err(why) = documents::update(DOCUMENT, MARK, &report::markdown(&self.0)) {
            log(&format!("cannot write the table of the API: {why}"));
        }
    }
}
