//! `cargo xtask soak`: runs a system test for a long time and shows its progress and figures.

use std::ffi::OsString;
use std::process::Command;

use clap::ValueEnum;
use test_harness::scratch;

use crate::print;

#[derive(Debug, clap::Args)]
pub struct Args {
    name: Option<Name>,
    /// Number of repetitions
    #[arg(long, requires = "name")]
    count: Option<usize>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    Hangups,
    RollingRestarts,
    SocketRestarts,
}

/// A soak test.
struct Soak {
    about: &'static str,
    /// The test target with them.
    target: Target,
    /// The filter that selects its tests.
    tests: &'static str,
    /// The environment variable with the number of repetitions.
    variable: &'static str,
    count: usize,
    /// What the count is of.
    unit: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Target {
    System,
    /// Needs Debian packages and root.
    Platform,
}

impl Name {
    fn soak(self) -> Soak {
        match self {
            Self::Hangups => Soak {
                about: "clients that disconnect during a write: every acknowledged write is stored",
                target: Target::System,
                tests: "faults::client_disconnects::",
                variable: "SOAK_HANGUPS",
                count: 10_000,
                unit: "on each database",
            },
            Self::SocketRestarts => Soak {
                about: "restarts under load through systemd's socket: no request fails",
                target: Target::Platform,
                tests: "systemd::restarts::restarts_through_the_socket_fail_no_request",
                variable: "SOAK_SOCKET_RESTARTS",
                count: 100,
                unit: "restarts",
            },
            Self::RollingRestarts => Soak {
                about: "rolling restarts of two processes behind haproxy, under load: no request fails",
                target: Target::Platform,
                tests: "rolling_restarts::",
                variable: "SOAK_ROLLING_RESTARTS",
                count: 100,
                unit: "restarts",
            },
        }
    }
}

pub fn run(args: &Args) -> Result<(), String> {
    let Some(name) = args.name else { return print::answer(&list()) };
    let Soak { target, tests, variable, count, .. } = name.soak();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(["test", "--package", "system-tests", "--locked"]);
    match target {
        Target::System => command.args(["--test", "system"]),
        Target::Platform => command.args(["--features", "system-tests/platform", "--test", "platform"]),
    };
    command.args(["--", tests, "--nocapture"]);
    command.env(variable, args.count.unwrap_or(count).to_string()).current_dir(scratch::workspace());
    let ended = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    if ended.success() { Ok(()) } else { Err(format!("the tests {tests} failed ({ended}); see the output above")) }
}

fn list() -> String {
    let line = |name: &Name| {
        let Soak { about, count, unit, .. } = name.soak();
        let name = name.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        format!("{name}  {about} ({count} {unit})")
    };
    Name::value_variants().iter().map(line).collect::<Vec<_>>().join("\n")
}
