//! A panic outside requests: it ends the process with its last words and an exit status, like a failed start.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use cyanotype_telemetry::panic::{self, PANIC_FLUSH_TIMEOUT, Panics};
use cyanotype_telemetry::pipeline;

use super::error::EX_SOFTWARE;

/// Runs the body of a program's `main`: a panic in it is reported, and its exit status is 70.
///
/// Before the service runs, that report is one line of text on stderr.
///
/// ```no_run
/// # use std::process::ExitCode;
/// # use cyanotype::settings::Loader;
/// # struct Orders;
/// # impl cyanotype::Blueprint for Orders {
/// #     fn name(&self) -> &'static str { "orders" }
/// #     fn prefix(&self) -> &str { "/orders" }
/// #     fn routes(&self, _: &mut actix_web::web::ServiceConfig) {}
/// # }
/// fn main() -> ExitCode {
///     cyanotype::main(|| match Loader::new("config").process_environment().load() {
///         Ok(settings) => cyanotype::serve(&settings, |settings| cyanotype::Service::new(settings).blueprint(Orders)),
///         Err(error) => {
///             cyanotype::write_to_stderr(cyanotype::Level::Error, &error.to_string(), None);
///             ExitCode::from(78)
///         }
///     })
/// }
/// ```
pub fn main(body: impl FnOnce() -> ExitCode) -> ExitCode {
    panic::install_hook(Panics::All);
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(code) => code,
        Err(payload) => {
            panic::report_caught(&*payload);
            match pipeline() {
                Some(pipeline) => pipeline.finish(Instant::now() + PANIC_FLUSH_TIMEOUT),
                None => panic::write_early(),
            }
            ExitCode::from(EX_SOFTWARE)
        }
    }
}
