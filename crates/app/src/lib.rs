//! The service: the list of its blueprints, and the command that serves and explains them.

#![forbid(unsafe_code)]

mod blueprints;
mod command;
mod document;
mod failed;
mod log;
mod operator;
mod print;
#[cfg(feature = "users")]
mod users;

use std::process::ExitCode;

use cyanotype::Service;
use cyanotype::settings::Settings;

/// The service with all blueprints that are compiled in.
#[must_use]
pub fn service(settings: Settings) -> Service {
    let service = Service::new(settings).program(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    blueprints::all(service.document(document::complete))
}

/// The command line of this process; `complete` may add to the service before it runs.
#[must_use]
pub fn main(complete: impl FnOnce(Service) -> Service) -> ExitCode {
    command::main(|settings| complete(service(settings)))
}
