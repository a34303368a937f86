//! Events that code captures with the SDK directly, bypassing the pipeline. The SDK passes them through these hooks on the
//! capturing thread.

use cyanotype_telemetry::{EventId, IgnoredTypes, pipeline, request};
use sentry::protocol::{Context, Event};

use crate::event::{add_request, add_scope, tags, trace, trace_id};
use crate::gate;

/// Adds the current request to an event.
pub(crate) fn with_request(mut event: Event<'static>) -> Event<'static> {
    if gate::is_sending_own_event() {
        return event;
    }
    request::with_current(|request| {
        if let Some(scope) = request.event_scope() {
            add_scope(&scope, &mut event);
        }
        let request = request.identity();
        // Outside transactions, the SDK has a trace of its own.
        if !matches!(event.contexts.get("trace"), Some(Context::Trace(trace)) if trace.trace_id == trace_id(request)) {
            event.contexts.insert("trace".to_owned(), trace(request));
        }
        for (key, value) in tags(request) {
            event.tags.entry(key).or_insert(value);
        }
        add_request(request, &mut event);
    });
    event
}

/// Whether an event is to be sent: its type is not ignored, and its request has not reported the same failure already. Later
/// reports of the failure refer to this event.
pub(crate) fn claim(event: &Event<'static>, ignored: &IgnoredTypes) -> bool {
    if gate::is_sending_own_event() || event.exception.is_empty() {
        return true;
    }
    // Sentry's order is the innermost cause first.
    if let [root, ..] = &*event.exception.values
        && let [.., error] = &*event.exception.values
        && ignored.contains(&error.ty, &root.ty)
    {
        return false;
    }
    let Some(pipeline) = pipeline() else { return true };
    // Reports are redacted before they are compared.
    let values = event.exception.iter().rev().map(|exception| exception.value.as_deref().unwrap_or_default());
    let messages: Vec<String> = values.map(|value| pipeline.redactor.header(value).into_owned()).collect();
    let id = EventId::from_uuid(event.event_id);
    request::with_current(|request| request.claim_sdk_event(&messages, id)).unwrap_or(true)
}
