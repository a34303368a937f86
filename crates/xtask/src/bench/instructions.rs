//! `cargo xtask instructions`: the instructions that one request takes, counted by valgrind's callgrind.
//!
//! They say the same on a busy machine as on a quiet one, so they are kept in the repository to be compared with. A server
//! is run twice, with some requests and with more of them: what the two differ by is free of its start and its end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::build::{self, Built};
use super::foreign::Foreign;
use super::load::Load;
use super::plan::ORDER;
use super::running::Running;
use super::sentry_sink;
use super::server::Server;
use super::{end_progress, progress, say};
use crate::scratch::{self, Scratch};
use crate::{ports, print};

const SERVERS: [Server; 4] = [Server::Off, Server::Stderr, Server::Sentry, Server::Both];
const FEW: u64 = 1_000;
const MANY: u64 = 3_000;
/// How much more a request may take than it did, before that is an error.
const TOLERANCE: f64 = 0.1;
const BASELINE: &str = "crates/bench/instructions.json";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Fail when a request takes a tenth more than the baseline says
    #[arg(long)]
    check: bool,
    /// Write what was counted as the baseline
    #[arg(long, conflicts_with = "check")]
    update: bool,
}

pub fn run(args: &Args) -> Result<(), String> {
    let valgrind = Command::new("valgrind").arg("--version").output();
    let Ok(valgrind) = valgrind else {
        let missing = "valgrind is missing (apt-get install valgrind)";
        if args.update {
            return Err(missing.into());
        }
        say(&format!("instructions are not counted: {missing}"));
        return Ok(());
    };
    let built = build::packages(&build::SERVICE)?;
    let dsn = sentry_sink::start()?;
    let mut counted = BTreeMap::new();
    for server in SERVERS {
        let few = count(server, &built, &dsn, FEW)?;
        let many = count(server, &built, &dsn, MANY)?;
        counted.insert(server.name(), many.saturating_sub(few) / (MANY - FEW));
    }
    end_progress();
    let baseline = baseline();
    let mut worse = Vec::new();
    for server in SERVERS {
        let (name, now) = (server.name(), counted[server.name()]);
        let before = baseline.as_ref().and_then(|baseline| baseline["instructions_per_request"][name].as_u64());
        let change = before.map(|before| now as f64 / before as f64 - 1.0);
        let beside = change.map_or_else(String::new, |change| format!("  {:+.1} % of the baseline", change * 100.0));
        print::answer(&format!("{name:<8} {now:>9} instructions a request{beside}"))?;
        if change.is_some_and(|change| change > TOLERANCE) {
            worse.push(name);
        }
    }
    if args.update {
        let valgrind = String::from_utf8_lossy(&valgrind.stdout).trim().to_owned();
        let text = json!({"valgrind": valgrind, "instructions_per_request": counted});
        let text = serde_json::to_string_pretty(&text).map_err(|error| error.to_string())?;
        scratch::write(&scratch::workspace().join(BASELINE), text + "\n");
    }
    if args.check && baseline.is_none() {
        return Err(format!("{BASELINE} is missing or no JSON: write it with `cargo xtask instructions --update`"));
    }
    if args.check && !worse.is_empty() {
        return Err(format!(
            "{} takes over {:.0} % more than {BASELINE} says: see why with callgrind, or write it anew with `cargo xtask instructions --update`",
            worse.join(", "),
            TOLERANCE * 100.0
        ));
    }
    Ok(())
}

fn baseline() -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(scratch::workspace().join(BASELINE)).ok()?).ok()
}

/// The instructions of a whole run with so many requests.
fn count(server: Server, built: &Built, dsn: &str, requests: u64) -> Result<u64, String> {
    progress(&format!("counts {}, {requests} requests", server.name()));
    let scratch = Scratch::new("instructions");
    let log = scratch.join("log");
    let port = ports::free();
    let path = format!("/bench/{}", ORDER.path);
    let mut program = server.program(built, &Foreign::default(), port, dsn);
    let valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"].map(OsString::from);
    let mut to_log = OsString::from("--log-file=");
    to_log.push(&log);
    program.words.splice(0..0, valgrind.into_iter().chain([to_log]));
    let mut running = Running::alone(program)?;
    let body_bytes = running.wait_ready(port, &path)?;
    let said = Load::new(&built.load, port, &path, body_bytes, 1).requests(requests).run()?;
    if said.errors > 0 {
        return Err(format!("{} errors in {requests} requests\n{}", said.errors, running.said()));
    }
    running.stop();
    let text = scratch::read(&log);
    let collected = text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    collected.ok_or_else(|| format!("valgrind counted nothing:\n{}", text.trim()))
}
