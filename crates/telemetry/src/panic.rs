//! The panic hook: it reports panics of all threads as uncaught failures. The thread then unwinds as usual.

use std::any::Any;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::pipeline::pipeline;
use crate::policy::Kind;
use crate::report::Report;
use crate::request;
use crate::stack::Stack;

/// The time for the sinks to deliver, after a panic that ends the process.
const ABORT_BUDGET: Duration = Duration::from_secs(2);

/// Which panics the hook reports. The standard hook would write to stderr directly, not through the sinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panics {
    /// All panics.
    All,
    /// Panics in requests. Others are passed to the previous hook: in a test they are the test's own.
    InRequests,
}

pub(crate) fn install_hook(panics: Panics) {
    let before = (panics == Panics::InRequests).then(take_hook);
    set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        if let Some(before) = before.as_ref().filter(|_| request::current().is_none()) {
            return before(info);
        }
        let location = info.location().map_or_else(|| "unknown".into(), ToString::to_string);
        let Some(pipeline) = pipeline() else { return };
        let message = message(info.payload());
        let will_abort = cfg!(panic = "abort") || cannot_unwind(&message);
        let failure = Failure::panic(message, Stack::capture());
        let report = Report::failure(Kind::Uncaught, "cyanotype::panic", failure);
        pipeline.report(report.with("location", location));
        if will_abort {
            // The process ends after this hook, so it must wait for the sinks.
            pipeline.abort(Instant::now() + ABORT_BUDGET);
        }
    }));
}

/// The message of a panic.
#[must_use]
pub fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic without a message".into())
}

/// Whether the process aborts after this panic: a panic in a destructor during unwinding, or in a function that cannot unwind.
/// Only the message distinguishes them (`core::panicking`).
fn cannot_unwind(message: &str) -> bool {
    matches!(message, "panic in a destructor during cleanup" | "panic in a function that cannot unwind")
}
