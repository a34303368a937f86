//! The real app with the probe added.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use system_tests::probe::{Probe, RegisteredError, before_breadcrumb, before_send};

fn main() -> ExitCode {
    app::main(|service| {
        let service = service.before_breadcrumb(before_breadcrumb).before_send(before_send);
        service.blueprint(Probe::new()).error_type::<RegisteredError>()
    })
}
