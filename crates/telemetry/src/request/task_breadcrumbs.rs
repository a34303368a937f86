//! The breadcrumbs of work outside requests: the start and stop of a blueprint, and spawned tasks, each its own.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Breadcrumbs;

tokio::task_local! {
    static OWN: TaskBreadcrumbs;
}

/// The breadcrumbs of work that belongs to no request.
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskBreadcrumbs(Arc<Mutex<Breadcrumbs>>);

impl TaskBreadcrumbs {
    /// Those of the current work; `None` in a request, and outside such work.
    pub(crate) fn current() -> Option<Self> {
        OWN.try_with(Clone::clone).ok()
    }

    /// Runs a closure with these breadcrumbs as the current ones.
    pub(crate) fn run_in_sync<R>(self, f: impl FnOnce() -> R) -> R {
        OWN.sync_scope(self, f)
    }
}

/// Runs a future that belongs to no request with breadcrumbs of its own.
pub fn with_task_breadcrumbs<F: Future>(future: F) -> impl Future<Output = F::Output> {
    OWN.scope(TaskBreadcrumbs::default(), future)
}

/// Calls a function with the breadcrumbs of the current work; returns `None` outside such work.
pub(crate) fn with_current_breadcrumbs<R>(f: impl FnOnce(&mut Breadcrumbs) -> R) -> Option<R> {
    OWN.try_with(|own| f(&mut own.0.lock())).ok()
}
