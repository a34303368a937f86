#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main(|service| service)
}
