//! The real app with the probe added.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use system_tests::probe::{Probe, RegisteredError, before_breadcrumb};

fn main() -> ExitCode {
    app::main(|service| {
        service.blueprint(Probe::new()).before_breadcrumb(before_breadcrumb).error_type::<RegisteredError>()
    })
}
