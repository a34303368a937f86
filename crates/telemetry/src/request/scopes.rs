//! The event sinks' scopes for a request.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::sinks::{EventSink, Scope};

/// The event sinks, each with its scope for one request. A single sink, the usual number, needs no allocation.
#[derive(Default)]
pub(crate) struct Scopes(SmallVec<[(Arc<dyn EventSink>, Scope); 1]>);

impl Scopes {
    pub(crate) fn begin(sinks: &[Arc<dyn EventSink>]) -> Self {
        Self(sinks.iter().filter_map(|sink| Some((Arc::clone(sink), sink.begin_request()?))).collect())
    }

    /// A sink's scope for this request.
    pub(crate) fn of(&self, sink: &Arc<dyn EventSink>) -> Option<&Scope> {
        self.0.iter().find(|(other, _)| Arc::ptr_eq(other, sink)).map(|(_, scope)| scope)
    }

    /// The trace of the first sink that has begun one, as a `sentry-trace` header.
    pub(crate) fn trace_header(&self) -> Option<String> {
        self.0.iter().find_map(|(sink, scope)| sink.trace_header(scope))
    }

    /// Calls a function inside all scopes.
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        if self.0.is_empty() {
            return f();
        }
        let (mut f, mut result) = (Some(f), None);
        enter_all(&self.0, &mut || {
            if let Some(f) = f.take() {
                result = Some(f());
            }
        });
        // The handler must run even if a sink did not call the function.
        result.unwrap_or_else(|| f.take().expect("without a result, the function has not been called")())
    }
}

fn enter_all(scopes: &[(Arc<dyn EventSink>, Scope)], f: &mut dyn FnMut()) {
    match scopes.split_first() {
        Some(((sink, scope), inner)) => sink.enter(scope, &mut || enter_all(inner, f)),
        None => f(),
    }
}
