//! What is done with the project beside building and testing it: `cargo xtask`.

mod bench;
mod documents;
mod paint;

// The tests' harness, which finds ports and sets up peers, and whose processes never outlive this one. Taken in by its files:
// as a crate it would bring the whole service along.
#[allow(dead_code)]
#[path = "../../../tests/src/env.rs"]
mod env;
#[allow(dead_code)]
#[path = "../../../tests/src/figures.rs"]
mod figures;
#[allow(dead_code)]
#[path = "../../../tests/src/keeper.rs"]
mod keeper;
mod peers;
#[allow(dead_code)]
#[path = "../../../tests/src/ports.rs"]
mod ports;
#[allow(dead_code)]
#[path = "../../../tests/src/scratch.rs"]
mod scratch;
#[allow(dead_code)]
#[path = "../../../tests/src/wait.rs"]
mod wait;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Does what is done with the project beside building and testing it.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure what the service costs, beside others
    Bench(bench::Args),
    /// Count the instructions that a request takes
    Instructions(bench::instructions::Args),
}

fn main() -> ExitCode {
    // The harness panics with a sentence that says what is wrong.
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(io::stderr(), "{}", panic.payload_as_str().unwrap_or("a panic without words"));
    }));
    let done = match Command::parse().task {
        Task::Bench(args) => bench::run(&args),
        Task::Instructions(args) => bench::instructions::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let _ = writeln!(io::stderr(), "{} {reason}", paint::red("error:"));
            ExitCode::FAILURE
        }
    }
}
