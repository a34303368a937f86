//! The workspace's own tasks, asked for by the aliases in `.cargo/config.toml`.

#![forbid(unsafe_code)]

mod bench;
mod blueprint;
mod documents;
mod paint;
mod print;
mod soak;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The workspace's own tasks
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", about)]
struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Measure what the service costs, beside others
    Bench(bench::Args),
    Blueprint(blueprint::Command),
    /// Count the instructions that a request takes
    Instructions(bench::instructions::Args),
    /// Run a test for long; without a name: what there is
    Soak(soak::Args),
}

fn main() -> ExitCode {
    print::exit_code(match Command::parse().task {
        Task::Bench(args) => with_panic_message(|| bench::run(&args)),
        Task::Blueprint(command) => blueprint::run(command).and_then(|text| print::answer(&text)),
        Task::Instructions(args) => with_panic_message(|| bench::instructions::run(&args)),
        Task::Soak(args) => soak::run(&args),
    })
}

/// The harness panics with a sentence that says what is wrong: that sentence alone is shown.
fn with_panic_message(task: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    std::panic::set_hook(Box::new(|panic| {
        let reason = panic.payload_as_str().unwrap_or("a panic without words");
        let _ = writeln!(io::stderr(), "{} {reason}", paint::red("error:"));
    }));
    task()
}
