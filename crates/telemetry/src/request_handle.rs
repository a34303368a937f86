//! The request for work on another thread.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use tracing::Span;

use crate::panic;
use crate::request::{RequestContext, TaskBreadcrumbs, current, run_in_sync};

/// The current request and `tracing` span, for work on another thread.
///
/// ```
/// let handle = cyanotype_telemetry::keep_request();
/// std::thread::spawn(move || handle.run(|| tracing::info!("in the request"))).join().unwrap();
/// ```
#[derive(Debug)]
pub struct RequestHandle {
    request: Option<Arc<RequestContext>>,
    own: Option<TaskBreadcrumbs>,
    span: Span,
}

/// Keeps the current request for a pool of threads; for one closure use `block`. Outside a request, it keeps the breadcrumbs of a
/// blueprint's start or of a spawned task.
#[must_use]
pub fn keep_request() -> RequestHandle {
    let request = current();
    if let Some(request) = &request {
        request.mark_detached();
    }
    RequestHandle { request, own: TaskBreadcrumbs::current(), span: Span::current() }
}

impl RequestHandle {
    /// Runs work as part of the request: its records have the ids, and its breadcrumbs and reported failures are the request's.
    ///
    /// # Panics
    /// A panic of the work is reported as one of the request, and unwinds further.
    pub fn run<R>(self, work: impl FnOnce() -> R) -> R {
        let Self { request, own, span } = self;
        let reported = || {
            catch_unwind(AssertUnwindSafe(|| span.in_scope(work))).unwrap_or_else(|payload| {
                panic::report_caught(&*payload);
                resume_unwind(payload)
            })
        };
        match (request, own) {
            (Some(request), _) => run_in_sync(&request, reported),
            (None, Some(own)) => own.run_in_sync(reported),
            (None, None) => reported(),
        }
    }
}
