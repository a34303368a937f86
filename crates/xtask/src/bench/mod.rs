//! `cargo xtask bench`: benchmarks of the service against bare actix-web and comparable servers.
//!
//! The server runs on one core, the load generator on another. Each round runs every server once in a fresh process.
//! Figures are medians over the rounds, and shares are relative to bare actix-web in the same round.

mod api;
mod build;
mod chart;
mod cores;
mod drain;
pub mod instructions;
mod load;
mod measure;
mod other_languages;
mod plan;
mod program;
mod report;
mod row;
mod running;
mod sentry_sink;
mod server;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use serde_json::Value;

use crate::{paint, print};
use cores::Cores;
use measure::{Bench, Sample, Soak};
use other_languages::OtherLanguages;
use plan::{Length, Scenario};
use row::Row;
use server::Server;
use test_harness::documents;
use test_harness::scratch;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run short rounds without the Node and Python servers: orders on 32 connections only; with --api, all of its requests
    #[arg(long)]
    quick: bool,
    /// Measure only requests of the real API
    #[arg(long)]
    api: bool,
    /// Also write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the tables into docs/BENCHMARKS.md and the chart into docs/bench.svg
    #[arg(long, conflicts_with_all = ["quick", "only"])]
    update_documents: bool,
    /// Measure only these servers, and `bare` for comparison
    #[arg(long, value_name = "SERVER", value_delimiter = ',', value_parser = PossibleValuesParser::new(names()))]
    only: Vec<String>,
    /// Number of rounds
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..))]
    rounds: Option<u8>,
}

fn names() -> impl Iterator<Item = &'static str> {
    Server::value_variants().iter().map(|server| server.name()).chain(api::names())
}

pub fn run(args: &Args) -> Result<(), String> {
    let cores = Cores::pick()?;
    // Fail now, not after the measurements, if the file cannot be written.
    let json = args.json.as_ref().map(|path| (path, std::fs::write(path, "")));
    if let Some((path, Err(error))) = json {
        return Err(format!("cannot write {}: {error}", path.display()));
    }
    let mut scenarios = args.scenarios();
    let mut api = api::Plan::new(args.quick, |name| (args.api || !args.quick) && args.wants(name));
    if scenarios.is_empty() && api.is_empty() {
        return Err(format!("nothing to measure for {}; see --api", args.only.join(", ")));
    }
    let mut packages = vec![build::LOAD];
    if !scenarios.is_empty() {
        packages.extend([build::SERVICE, build::PEERS]);
    }
    packages.extend(api.packages());
    let built = build::packages(&packages)?;
    let other_languages =
        if args.quick || scenarios.is_empty() { OtherLanguages::default() } else { set_up_other_languages() };
    scenarios.retain(|scenario| scenario.server.is_available(&other_languages));
    api.prepare();
    // Children inherit the load generator's core until they are pinned to another.
    cores.pin_to_load_core()?;
    let mut measured = Vec::new();
    if !scenarios.is_empty() {
        measured.extend(args.measure(&Bench::new(cores, built.clone(), other_languages)?, &scenarios)?);
    }
    if !api.is_empty() {
        let rows = api.run(cores, built, args.rounds)?;
        measured.extend(rows.json());
        if args.update_documents {
            rows.update_document();
        }
    }
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&measured).map_err(|error| error.to_string())?;
        std::fs::write(file, text + "\n").map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    Ok(())
}

impl Args {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// The scenarios except those of the real API.
    fn scenarios(&self) -> Vec<Scenario> {
        let mut scenarios = if self.quick { plan::quick() } else { plan::full() };
        let is_wanted = |scenario: &Scenario| self.wants(scenario.server.name());
        if self.api || !scenarios.iter().any(is_wanted) {
            return vec![];
        }
        scenarios.retain(|scenario| scenario.server == Server::Bare || is_wanted(scenario));
        scenarios
    }

    /// Measures the scenarios and prints the table.
    fn measure(&self, bench: &Bench, scenarios: &[Scenario]) -> Result<Vec<Value>, String> {
        let mut length = if self.quick { Length::QUICK } else { Length::FULL };
        length.rounds = self.rounds.map_or(length.rounds, usize::from);
        let samples = rounds(scenarios, length.rounds, |scenario| bench.measure(scenario, length))?;
        let rows = row::rows(scenarios, &samples);

        // The soak sends a million requests, so it is skipped in partial runs.
        let is_full = !self.quick && self.only.is_empty();
        let soak = if is_full { Some(bench.soak()?) } else { None };

        print::answer(&report::text(&rows, soak.as_ref()))?;
        for warning in row::warnings(&rows) {
            log(&warning);
        }
        if self.update_documents {
            documents::update("README.md", "bench", &report::summary(&rows))?;
            documents::update("docs/BENCHMARKS.md", "bench", &report::markdown(&rows))?;
            scratch::write(&scratch::workspace().join(report::CHART), chart::svg(&rows));
        }
        Ok(rows.iter().map(Row::json).chain(soak.as_ref().map(Soak::json)).collect())
    }
}

/// Sets up the servers in other languages, and logs those that are skipped.
fn set_up_other_languages() -> OtherLanguages {
    let (other_languages, missing) = OtherLanguages::set_up();
    for why in &missing {
        log(why);
    }
    other_languages
}

/// Measures every scenario once per round, in the order of the plan.
fn rounds<S: Display>(
    scenarios: &[S],
    count: usize,
    measure: impl Fn(&S) -> Result<Sample, String>,
) -> Result<Vec<Vec<Sample>>, String> {
    let began = Instant::now();
    let steps = scenarios.len() * count;
    let mut samples: Vec<Vec<Sample>> = scenarios.iter().map(|_| Vec::new()).collect();
    for round in 0..count {
        for (n, scenario) in scenarios.iter().enumerate() {
            let sample = measure(scenario).map_err(|reason| format!("{scenario}: {reason}"))?;
            let done = round * scenarios.len() + n + 1;
            let left = began.elapsed().as_secs_f64() / done as f64 * (steps - done) as f64;
            progress(&format!(
                "{done:>3}/{steps}  {scenario:<58} {:>8.0}/s {}",
                sample.requests_per_s(),
                paint::dim(&format!("about {left:.0} s left"))
            ));
            samples[n].push(sample);
        }
    }
    end_progress();
    Ok(samples)
}

/// Shows a progress line; on a terminal it replaces the previous one.
fn progress(line: &str) {
    let (before, after) = if paint::is_terminal() { ("\r\x1b[K", "") } else { ("", "\n") };
    let _ = write!(io::stderr(), "{before}{line}{after}");
}

fn end_progress() {
    if paint::is_terminal() {
        let _ = writeln!(io::stderr());
    }
}

fn log(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
