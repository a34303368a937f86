//! The current request, as a task-local value.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::RequestContext;

tokio::task_local! {
    static CURRENT: Arc<RequestContext>;
}

/// The current request; `None` outside of requests.
#[must_use]
pub fn current() -> Option<Arc<RequestContext>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Calls a function with the current request, without cloning it.
pub fn with_current<R>(f: impl FnOnce(&Arc<RequestContext>) -> R) -> Option<R> {
    CURRENT.try_with(f).ok()
}

/// Runs a future with this request as the current one, inside every sink's scope for it.
pub fn run_in<F: Future>(context: Arc<RequestContext>, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(Arc::clone(&context), InScopes { future, context })
}

/// Runs a closure with this request as the current one, inside every sink's scope for it.
pub fn run_in_sync<R>(context: &Arc<RequestContext>, f: impl FnOnce() -> R) -> R {
    if with_current(|current| Arc::ptr_eq(current, context)).unwrap_or_default() {
        return f();
    }
    CURRENT.sync_scope(Arc::clone(context), || context.scopes().enter(f))
}

pin_project! {
    /// A future that is polled inside the sinks' scopes of a request.
    struct InScopes<F> {
        #[pin]
        future: F,
        context: Arc<RequestContext>,
    }
}

impl<F: Future> Future for InScopes<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.context.scopes().enter(|| this.future.poll(cx))
    }
}
