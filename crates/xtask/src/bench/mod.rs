//! `cargo xtask bench`: what the service costs, beside bare actix-web and what else does its work.
//!
//! The server has one core, the load the other. Servers take turns, several rounds of it, each time as a fresh process; the
//! medians count, and shares are of what bare actix-web did in the same round.

mod build;
mod chart;
mod cores;
mod drain;
mod foreign;
pub mod instructions;
mod load;
mod measure;
mod plan;
mod report;
mod row;
mod running;
mod sentry_sink;
mod server;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use crate::{documents, paint, print, scratch};
use cores::Cores;
use measure::Bench;
use plan::{Length, Scenario};
use row::Row;
use server::Server;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only an order on 32 connections, in short rounds, without Node and Python
    #[arg(long)]
    quick: bool,
    /// Write what was measured to this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the table into README.md and the chart into docs/
    #[arg(long, conflicts_with_all = ["quick", "only"])]
    update_documents: bool,
    /// Measure these servers alone, beside bare
    #[arg(long, value_name = "SERVER", value_delimiter = ',')]
    only: Vec<Server>,
    /// How often each is measured
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..))]
    rounds: Option<u8>,
}

pub fn run(args: &Args) -> Result<(), String> {
    let cores = Cores::pick()?;
    // Now, and not when all has been measured: it may be a place that cannot be written to.
    let json = args.json.as_ref().map(|path| (path, std::fs::write(path, "")));
    if let Some((path, Err(error))) = json {
        return Err(format!("cannot write {}: {error}", path.display()));
    }
    let built = build::packages(&build::EVERYTHING)?;
    let (foreign, missing) = if args.quick { (foreign::Foreign::default(), vec![]) } else { foreign::Foreign::find() };
    let mut length = if args.quick { Length::QUICK } else { Length::FULL };
    length.rounds = args.rounds.map_or(length.rounds, usize::from);
    let mut scenarios = if args.quick { plan::quick() } else { plan::full() };
    scenarios.retain(|scenario| foreign.has(scenario.server));
    if !args.only.is_empty() {
        scenarios.retain(|scenario| scenario.server == Server::Bare || args.only.contains(&scenario.server));
    }
    for why in &missing {
        say(why);
    }
    // Whatever this process starts is where the load is, until it is moved.
    cores.take_load_core()?;
    let bench = Bench::new(cores, built, foreign)?;
    let rows = rounds(&bench, &scenarios, length)?;

    // A million requests take their time.
    let is_full = !args.quick && args.only.is_empty();
    let soak = if is_full { Some(bench.soak()?) } else { None };

    let text = report::text(&rows, soak.as_ref());
    print::answer(&text)?;
    for doubt in row::doubts(&rows) {
        say(&doubt);
    }
    if let Some(file) = &args.json {
        let rows: Vec<_> = rows.iter().map(Row::json).chain(soak.as_ref().map(measure::Soak::json)).collect();
        let text = serde_json::to_string_pretty(&rows).map_err(|error| error.to_string())?;
        std::fs::write(file, text + "\n").map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    if args.update_documents {
        documents::update("README.md", "bench", &report::markdown(&rows))?;
        scratch::write(&scratch::workspace().join(report::CHART), chart::svg(&rows));
    }
    Ok(())
}

/// Every scenario once a round, neighbours in the plan right after each other.
fn rounds(bench: &Bench, scenarios: &[Scenario], length: Length) -> Result<Vec<Row>, String> {
    let began = Instant::now();
    let steps = scenarios.len() * length.rounds;
    let mut samples: Vec<Vec<measure::Sample>> = scenarios.iter().map(|_| Vec::new()).collect();
    for round in 0..length.rounds {
        for (n, scenario) in scenarios.iter().enumerate() {
            let sample = bench.measure(scenario, length).map_err(|reason| format!("{scenario}: {reason}"))?;
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
    Ok(row::rows(scenarios, &samples))
}

/// One line, which the next takes the place of where stderr is a terminal.
fn progress(line: &str) {
    let (before, after) = if paint::is_terminal() { ("\r\x1b[K", "") } else { ("", "\n") };
    let _ = write!(io::stderr(), "{before}{line}{after}");
}

fn end_progress() {
    if paint::is_terminal() {
        let _ = writeln!(io::stderr());
    }
}

fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
