//! A panic on any thread is a failure that nobody caught: it is reported where it happens, and the thread goes on its way.

use std::any::Any;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::outlets::Outlets;
use crate::pipeline::{Report, pipeline};
use crate::record::Kind;
use crate::request;
use crate::stack::Stack;

/// What the last words of a process may take to reach stderr, or the spool.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Takes the place of the standard hook, which would write past the sinks. In a test of a blueprint that one keeps all
/// panics outside of requests: those are the test's own.
pub(crate) fn install_hook(outlets: &Outlets) {
    let before = (!matches!(outlets, Outlets::Real)).then(take_hook);
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
            pipeline.end_at_once(Instant::now() + LAST_WORDS);
        }
    }));
}

/// What a panic said.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".into())
}

/// Whether the process ends after this panic: one in a destructor while another unwinds, or where nothing may unwind. The
/// standard library tells it apart by these words alone (`core::panicking`).
fn cannot_unwind(message: &str) -> bool {
    matches!(message, "panic in a destructor during cleanup" | "panic in a function that cannot unwind")
}
