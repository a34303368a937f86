//! A panic on any thread is a failure that nobody caught: it is reported where it happens, and the thread goes on its way.

use std::any::Any;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::pipeline::pipeline;
use crate::policy::Kind;
use crate::report::Report;
use crate::request;
use crate::stack::Stack;

/// How long the sinks may take after the panic that ends the process.
const ABORT_BUDGET: Duration = Duration::from_secs(2);

/// Which panics the process's panic hook reports; the standard hook would write past the sinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panics {
    /// All.
    All,
    /// Those in requests. The hook that was installed before gets the others: in a test they are the test's own.
    InRequests,
}

pub(crate) fn install_hook(panics: Panics) {
    let before = (panics == Panics::InRequests).then(take_hook);
    set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        if let Some(before) = before.as_ref().filter(|_| request::current().is_none()) {
            return before(info);
        }
        let place = info.location().map_or_else(|| "unknown".into(), ToString::to_string);
        let Some(pipeline) = pipeline() else { return };
        let message = message(info.payload());
        let is_the_end = cfg!(panic = "abort") || cannot_unwind(&message);
        let failure = Failure::panic(message, Stack::capture());
        let report = Report::failure(Kind::Uncaught, "cyanotype::panic", failure);
        pipeline.report(report.with("location", place));
        if is_the_end {
            // No worker waits for a sink, but this process has no later.
            pipeline.abort(Instant::now() + ABORT_BUDGET);
        }
    }));
}

/// The message of a panic.
#[must_use]
pub fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".into())
}

/// Whether the process ends after this panic: one in a destructor while another unwinds, or where nothing may unwind. The
/// standard library tells it apart by these words alone (`core::panicking`).
fn cannot_unwind(message: &str) -> bool {
    matches!(message, "panic in a destructor during cleanup" | "panic in a function that cannot unwind")
}
