//! The panic hook: it reports panics of all threads as uncaught failures. The thread then unwinds as usual.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use cyanotype_redact::Redactor;
use parking_lot::Mutex;

use crate::failure::{Failure, PanicSite};
use crate::level::Level;
use crate::pipeline::{Pipeline, pipeline};
use crate::plain_text::write_to_stderr;
use crate::policy::Kind;
use crate::record::EventId;
use crate::report::Report;
use crate::request;
use crate::stack::Stack;

/// The time for the sinks to deliver, after a panic that ends the process.
pub const PANIC_FLUSH_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of panics that are remembered: those outside requests, and those before the pipeline has started.
const MAX_REMEMBERED: usize = 16;
/// Maximum length of the text of a panic before the pipeline has started, in bytes.
const MAX_TEXT_BYTES: usize = 4096;

/// The chains of the latest panics outside requests that the hook has reported.
static REPORTED: Mutex<VecDeque<Failure>> = Mutex::new(VecDeque::new());
/// Panics before the pipeline has started.
static EARLY: Mutex<VecDeque<Failure>> = Mutex::new(VecDeque::new());

/// Which panics the hook reports. The standard hook would write to stderr directly, not through the sinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panics {
    /// All panics.
    All,
    /// Panics in requests. Others are passed to the previous hook: in a test they are the test's own.
    InRequests,
}

/// Installs the hook. Panics before the pipeline starts are stored until then, or until [`write_early`].
pub fn install_hook(panics: Panics) {
    let before = (panics == Panics::InRequests).then(take_hook);
    set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        if let Some(before) = before.as_ref().filter(|_| request::current().is_none()) {
            return before(info);
        }
        let site = PanicSite {
            location: info.location().map_or_else(|| "unknown".into(), ToString::to_string),
            thread: thread::current().name().map(str::to_owned),
        };
        let stack = Some(Arc::new(Stack::capture()));
        let failure = Failure { stack, panic_site: Some(site), ..Failure::from_panic(info.payload()) };
        let will_abort = cfg!(panic = "abort") || cannot_unwind(&failure.first().message);
        if request::current().is_none() {
            remember(&REPORTED, failure.clone());
        }
        match pipeline() {
            Some(pipeline) => {
                report(pipeline, failure);
                if will_abort {
                    // The process ends after this hook, so it must wait for the sinks.
                    pipeline.abort(Instant::now() + PANIC_FLUSH_TIMEOUT);
                }
            }
            None => {
                remember(&EARLY, failure);
                if will_abort {
                    write_early();
                }
            }
        }
    }));
}

fn remember(list: &Mutex<VecDeque<Failure>>, failure: Failure) {
    let mut list = list.lock();
    list.truncate(MAX_REMEMBERED - 1);
    list.push_front(failure);
}

fn report(pipeline: &Pipeline, failure: Failure) -> Option<EventId> {
    pipeline.report(Report::failure(Kind::Uncaught, "cyanotype::panic", failure))
}

/// Reports the panics before the pipeline started.
pub(crate) fn report_early(pipeline: &Pipeline) {
    let early = std::mem::take(&mut *EARLY.lock());
    for failure in early.into_iter().rev() {
        report(pipeline, failure);
    }
}

/// Writes the panics before the pipeline started to stderr, each as one line: the process ends without a pipeline.
pub fn write_early() {
    let early = std::mem::take(&mut *EARLY.lock());
    for failure in early.iter().rev() {
        let text = describe(failure);
        write_to_stderr(Level::Critical, &text, None);
    }
}

/// A panic in one line of limited length, with the place where it happened.
fn describe(failure: &Failure) -> String {
    let mut message = failure.messages().join(": ");
    match pipeline() {
        Some(pipeline) => pipeline.redactor.text_in_place(&mut message),
        None => Redactor::default().text_in_place(&mut message),
    }
    message.truncate(message.floor_char_boundary(MAX_TEXT_BYTES));
    let mut text = String::from("panicked: ");
    for c in message.chars() {
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    if let Some(PanicSite { location, thread }) = &failure.panic_site {
        let thread = thread.as_deref().unwrap_or("without a name");
        let _ = write!(text, " (at {location}, thread {thread})");
    }
    text
}

/// Describes a panic that was caught outside requests in one line of limited length, with its place.
#[must_use]
pub fn description(payload: &(dyn Any + Send)) -> String {
    let failure = Failure::from_panic(payload);
    let reported = REPORTED.lock().iter().find(|reported| reported.messages() == failure.messages()).cloned();
    describe(&reported.unwrap_or(failure))
}

/// Reports a panic that was caught, unless the hook has reported it: `resume_unwind` does not call the hook. Returns the id of
/// its event, if an event sink accepted it.
pub fn report_caught(payload: &(dyn Any + Send)) -> Option<EventId> {
    let failure = Failure::from_panic(payload);
    let position = REPORTED.lock().iter().position(|reported| reported.messages() == failure.messages());
    match (request::current().is_some(), position) {
        // A panic of another thread, resumed here. Others of the same text in this request are its own.
        (true, Some(position)) => {
            REPORTED.lock().remove(position);
            return None;
        }
        // The request knows which of its failures are reported.
        (true, None) => {}
        (false, Some(_)) => return None,
        (false, None) => remember(&REPORTED, failure.clone()),
    }
    let Some(pipeline) = pipeline() else {
        remember(&EARLY, failure);
        return None;
    };
    report(pipeline, failure)
}

/// Awaits a future, and reports its panic.
///
/// # Errors
/// The payload of the panic.
pub async fn catch<F: Future>(future: F) -> thread::Result<F::Output> {
    let mut future = pin!(future);
    let caught = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(payload) => Poll::Ready(Err(payload)),
    });
    let outcome = caught.await;
    if let Err(payload) = &outcome {
        report_caught(&**payload);
    }
    outcome
}

/// Whether the process aborts after this panic: a panic in a destructor during unwinding, or in a function that cannot unwind.
/// Only the message distinguishes them (`core::panicking`).
fn cannot_unwind(message: &str) -> bool {
    matches!(message, "panic in a destructor during cleanup" | "panic in a function that cannot unwind")
}
