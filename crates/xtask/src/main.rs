//! Tasks for developing this workspace, run as `cargo xtask` by the alias in `.cargo/config.toml`.

#![forbid(unsafe_code)]

mod bench;
mod blueprint;
mod dist;
mod paint;
mod print;
mod release_build;
mod soak;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks for developing this workspace
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", about)]
struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Benchmark the service against other servers
    Bench(bench::Args),
    Blueprint(blueprint::Command),
    Dist(dist::Args),
    /// Count the instructions and allocations of a request
    Instructions(bench::instructions::Args),
    /// Run a soak test; without a name, list them
    Soak(soak::Args),
}

fn main() -> ExitCode {
    print::exit_code(match Command::parse().task {
        Task::Bench(args) => with_panic_message(|| bench::run(&args)),
        Task::Blueprint(command) => blueprint::run(command).and_then(|text| print::answer(&text)),
        Task::Dist(args) => dist::run(&args),
        Task::Instructions(args) => with_panic_message(|| bench::instructions::run(&args)),
        Task::Soak(args) => soak::run(&args),
    })
}

/// The test harness panics with an error message. Prints only that message.
fn with_panic_message(task: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    std::panic::set_hook(Box::new(|panic| {
        let reason = panic.payload_as_str().unwrap_or("a panic without a message");
        let _ = writeln!(io::stderr(), "{} {reason}", paint::red("error:"));
    }));
    task()
}
