//! `cargo xtask instructions`: the instructions and allocations of one request, counted by valgrind's callgrind.
//!
//! The counts do not depend on the load of the machine, so a baseline is stored in the repository. Each server runs
//! twice, with some and with more requests: the difference excludes startup and shutdown.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use test_harness::ports;
use test_harness::scratch::{self, Scratch};

use super::build::{self, Built};
use super::load::Load;
use super::other_languages::OtherLanguages;
use super::plan::ORDER;
use super::running::RunningServer;
use super::sentry_sink;
use super::server::Server;
use super::{end_progress, log, progress};
use crate::print;

const SERVERS: [Server; 4] = [Server::Off, Server::Stderr, Server::Sentry, Server::Both];
const FEW_REQUESTS: u64 = 1_000;
const MANY_REQUESTS: u64 = 3_000;
const BASELINE: &str = "crates/bench/instructions.json";
// Keys of the baseline.
const INSTRUCTIONS: &str = "instructions_per_request";
const ALLOCATIONS: &str = "allocations_per_request";
/// The functions that allocate.
const ALLOCATORS: [&str; 5] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"];

/// The counts of a complete run.
struct Counts {
    instructions: u64,
    allocations: u64,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Fail if a request exceeds the baseline: by more instructions than the tolerance, or by any allocation
    #[arg(long)]
    check: bool,
    /// Allowed increase of instructions, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, requires = "check")]
    tolerance: f64,
    /// Write the counts as the new baseline
    #[arg(long, conflicts_with = "check")]
    update: bool,
}

pub fn run(args: &Args) -> Result<(), String> {
    let valgrind = Command::new("valgrind").arg("--version").output();
    let Ok(valgrind) = valgrind else {
        let missing = "valgrind is not installed; install it with `apt-get install valgrind`";
        if args.update {
            return Err(missing.into());
        }
        log(&format!("skipping the instruction counts: {missing}"));
        return Ok(());
    };
    let built = build::packages(&[build::LOAD, build::SERVICE])?;
    let dsn = sentry_sink::start()?;
    let (mut instructions, mut allocations) = (BTreeMap::new(), BTreeMap::new());
    for server in SERVERS {
        let few = count(server, &built, &dsn, FEW_REQUESTS)?;
        let many = count(server, &built, &dsn, MANY_REQUESTS)?;
        let each = |few: u64, many: u64| {
            (many.saturating_sub(few) as f64 / (MANY_REQUESTS - FEW_REQUESTS) as f64).round() as u64
        };
        instructions.insert(server.name(), each(few.instructions, many.instructions));
        allocations.insert(server.name(), each(few.allocations, many.allocations));
    }
    end_progress();
    let baseline = baseline();
    let mut worse = Vec::new();
    for server in SERVERS {
        let name = server.name();
        let before = |what: &str| baseline.as_ref().and_then(|baseline| baseline[what][name].as_u64());
        let (now, allocated) = (instructions[name], allocations[name]);
        let change = before(INSTRUCTIONS).map(|before| now as f64 / before as f64 - 1.0);
        let comparison =
            change.map_or_else(String::new, |change| format!("  {:+.1} % compared with the baseline", change * 100.0));
        let more = before(ALLOCATIONS).is_some_and(|before| allocated > before);
        let allocated = format!("{allocated:>3} allocations{}", if more { ", more than in the baseline" } else { "" });
        print::answer(&format!("{name:<8} {now:>9} instructions and {allocated} per request{comparison}"))?;
        if more || change.is_some_and(|change| change * 100.0 > args.tolerance) {
            worse.push(name);
        }
    }
    if args.update {
        let valgrind = String::from_utf8_lossy(&valgrind.stdout).trim().to_owned();
        let text = json!({"valgrind": valgrind, INSTRUCTIONS: instructions, ALLOCATIONS: allocations});
        let text = serde_json::to_string_pretty(&text).map_err(|error| error.to_string())?;
        scratch::write(&scratch::workspace().join(BASELINE), text + "\n");
    }
    if args.check && baseline.is_none() {
        return Err(format!(
            "{BASELINE} is missing or not valid JSON; write it with `cargo xtask instructions --update`"
        ));
    }
    if args.check && !worse.is_empty() {
        return Err(format!(
            "{}: over {} % more instructions than in {BASELINE}, or more allocations; find the cause with callgrind, or update the baseline with `cargo xtask instructions --update`",
            worse.join(", "),
            args.tolerance
        ));
    }
    Ok(())
}

fn baseline() -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(scratch::workspace().join(BASELINE)).ok()?).ok()
}

/// Counts a complete run with this number of requests.
fn count(server: Server, built: &Built, dsn: &str, requests: u64) -> Result<Counts, String> {
    progress(&format!("counting {}, {requests} requests", server.name()));
    let scratch = Scratch::new("instructions");
    let (log, profile) = (scratch.join("log"), scratch.join("profile"));
    let port = ports::free();
    let path = format!("/bench/{}", ORDER.path);
    let mut program = server.program(built, &OtherLanguages::default(), port, dsn);
    // Periodic work of the process would count as part of the requests.
    program.argv.extend(["--set".into(), "log.override_poll_s=60".into()]);
    let option = |name: &str, value: &Path| {
        let mut option = OsString::from(name);
        option.push(value);
        option
    };
    let to_files = [option("--callgrind-out-file=", &profile), option("--log-file=", &log)];
    program.argv.splice(0..0, ["valgrind".into(), "--tool=callgrind".into()].into_iter().chain(to_files));
    let mut running = RunningServer::standalone(program)?;
    let body_bytes = running.wait_ready(port, &path)?;
    let result = Load::new(&built.load, port, &path, body_bytes, 1).requests(requests).run()?;
    if result.errors > 0 {
        return Err(format!("{} errors in {requests} requests\n{}", result.errors, running.stderr_tail()));
    }
    running.stop();
    let text = scratch::read(&log);
    let collected = text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    let instructions = collected.ok_or_else(|| format!("valgrind counted nothing:\n{}", text.trim()))?;
    Ok(Counts { instructions, allocations: allocations(&scratch::read(&profile)) })
}

/// The number of calls of allocators, from a callgrind profile. A profile names a function at its first occurrence,
/// `cfn=(12) malloc`, and then refers to it by number, `cfn=(12)`; a `calls=` line with the count follows each callee.
fn allocations(profile: &str) -> u64 {
    let mut allocators = BTreeSet::new();
    let mut is_allocator = false;
    let mut calls = 0;
    for line in profile.lines() {
        if let Some(named) = line.strip_prefix("cfn=").or_else(|| line.strip_prefix("fn=")) {
            let (number, name) = named.split_once(' ').unwrap_or((named, ""));
            if ALLOCATORS.contains(&name) {
                allocators.insert(number);
            }
            is_allocator = line.starts_with('c') && allocators.contains(number);
        } else if let Some(count) = line.strip_prefix("calls=").filter(|_| is_allocator) {
            calls += count.split(' ').next().and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocator_calls_are_counted_from_every_caller() {
        let profile = "fn=(1) main\n0 5\ncfn=(2) malloc\ncalls=3 0 \n0 90\ncfn=(3) free\ncalls=9 0\n0 9\n\
                       fn=(2)\n0 90\nfn=(4) handle\ncfn=(2)\ncalls=4 0 \n0 120\n";
        assert_eq!(allocations(profile), 7);
    }
}
