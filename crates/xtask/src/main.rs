//! The workspace's own tasks, asked for by the aliases in `.cargo/config.toml`.

mod blueprint;
mod print;

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
    Blueprint(blueprint::Command),
}

fn main() -> ExitCode {
    let outcome = match Command::parse().task {
        Task::Blueprint(command) => blueprint::run(command),
    };
    print::outcome(outcome)
}
