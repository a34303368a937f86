//! The application: its blueprint list and its command line.

#![forbid(unsafe_code)]

mod blueprints;
mod client;
mod command;
mod db;
mod doctor;
mod document;
mod error;
mod generated;
mod health;
mod log;
mod operator;
mod print;
mod redact;
mod sentry_test;
mod signals;
#[cfg(feature = "users")]
mod users;

use std::process::ExitCode;

use cyanotype::Service;
use cyanotype::settings::Settings;

/// The service with all blueprints that the build includes.
#[must_use]
pub fn service(settings: Settings) -> Service {
    let service = Service::new(settings).program(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    blueprints::all(service.customize_openapi(document::complete))
}

/// Runs the command line of this process. `complete` can extend the service before it runs.
#[must_use]
pub fn main(complete: impl FnOnce(Service) -> Service) -> ExitCode {
    cyanotype::main(|| command::main(|settings| complete(service(settings))))
}
