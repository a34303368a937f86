//! A panic on any thread is a failure that nobody caught: it is reported where it happens, and the thread goes on its way.

use std::any::Any;
use std::panic::{PanicHookInfo, set_hook};

use crate::failure::Failure;
use crate::pipeline::{Report, pipeline};
use crate::record::Kind;
use crate::stack::Stack;

/// Takes the place of the standard hook, which would write past the sinks.
pub(crate) fn install_hook() {
    set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let place = info.location().map_or_else(|| "unknown".into(), ToString::to_string);
        if let Some(pipeline) = pipeline() {
            let failure = Failure::panic(message(info.payload()), Stack::capture());
            let report = Report::failure(Kind::Uncaught, "cyanotype::panic", failure);
            pipeline.report(report.with("location", place));
        }
    }));
}

/// What a panic said.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".into())
}
