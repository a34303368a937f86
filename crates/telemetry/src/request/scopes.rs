//! The event sinks' scopes for a request.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::identity::{ActiveSpan, RequestIdentity};
use crate::outcome::RequestEnd;
use crate::sinks::{EventSink, SinkScope};

/// The event sinks, each with its scope for one request. A single sink, the usual number, needs no allocation.
#[derive(Default)]
pub(crate) struct Scopes(SmallVec<[(Arc<dyn EventSink>, SinkScope); 1]>);

impl Scopes {
    pub(crate) fn begin(sinks: &[Arc<dyn EventSink>]) -> Self {
        Self(sinks.iter().filter_map(|sink| Some((Arc::clone(sink), sink.begin_request()?))).collect())
    }

    /// A sink's scope for this request.
    pub(crate) fn of(&self, sink: &Arc<dyn EventSink>) -> Option<&SinkScope> {
        self.0.iter().find(|(other, _)| Arc::ptr_eq(other, sink)).map(|(_, scope)| scope)
    }

    /// The span of the first sink that records one.
    pub(crate) fn active_span(&self) -> Option<ActiveSpan> {
        self.0.iter().find_map(|(sink, scope)| sink.active_span(scope))
    }

    /// Begins the response in each sink.
    pub(crate) fn begin_response(&self, request: &RequestIdentity, status: u16) {
        self.0.iter().for_each(|(sink, scope)| sink.begin_response(scope, request, status));
    }

    /// Ends the request in each sink.
    pub(crate) fn end_request(&self, request: &RequestIdentity, end: &RequestEnd) {
        self.0.iter().for_each(|(sink, scope)| sink.end_request(scope, request, end));
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

fn enter_all(scopes: &[(Arc<dyn EventSink>, SinkScope)], f: &mut dyn FnMut()) {
    match scopes.split_first() {
        Some(((sink, scope), inner)) => sink.enter(scope, &mut || enter_all(inner, f)),
        None => f(),
    }
}
