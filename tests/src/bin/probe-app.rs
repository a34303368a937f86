//! The real app with the probe added.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use system_tests::probe::{Probe, before_breadcrumb, before_send};

fn main() -> ExitCode {
    app::main(|service| service.blueprint(Probe).before_breadcrumb(before_breadcrumb).before_send(before_send))
}
