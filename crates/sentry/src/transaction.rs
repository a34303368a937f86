//! The transaction of a request: how long it took, as part of its trace.

use std::sync::{Arc, OnceLock};

use cyanotype_telemetry::request::{ActiveSpan, RequestIdentity, SpanId};
use sentry::protocol::SpanStatus;
use sentry::{Hub, Transaction, TransactionContext};

use crate::event;

/// A request's hub and its transaction, from the time when the route is known.
pub(crate) struct TracedRequest {
    pub hub: Arc<Hub>,
    transaction: OnceLock<Transaction>,
}

impl TracedRequest {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, transaction: OnceLock::new() }
    }

    /// Starts the transaction, with the ids of the request and the caller's decision.
    pub(crate) fn begin(&self, request: &RequestIdentity) {
        let caller = request.caller_trace();
        let name = request.transaction().unwrap_or_else(|| format!("{} <none>", request.parts.method));
        let mut context = TransactionContext::new_with_details(
            &name,
            "http.server",
            event::trace_id(request),
            Some(event::span_id(request.span_id())),
            caller.span_id.map(event::span_id),
        );
        context.set_sampled(caller.sampled);
        let transaction = self.hub.start_transaction(context);
        self.hub.configure_scope(|scope| scope.set_span(Some(transaction.clone().into())));
        // A request is routed once.
        let _ = self.transaction.set(transaction);
    }

    /// Ends the transaction, and sends it if it is sampled.
    pub(crate) fn end(&self, request: &RequestIdentity, status: Option<u16>) {
        let Some(transaction) = self.transaction.get() else { return };
        if read(transaction.iter_headers()).is_some_and(|span| span.sampled) {
            transaction.set_request(event::parts(&request.parts));
            transaction.set_origin("auto.http.cyanotype");
            event::tags(request).iter().for_each(|(name, value)| transaction.set_tag(name, value));
            transaction.set_status(status.map_or(SpanStatus::Cancelled, span_status));
            if let Some(status) = status {
                transaction.set_data("http.response.status_code", status.into());
            }
        }
        // The SDK adds the tags and the user of the current hub.
        Hub::run(Arc::clone(&self.hub), || transaction.clone().finish());
    }

    /// The span that code has set last, or else the transaction.
    pub(crate) fn active_span(&self) -> Option<ActiveSpan> {
        let span = self.hub.configure_scope(|scope| scope.get_span())?;
        read(span.iter_headers())
    }
}

/// Reads the SDK's header of a span, `TRACE-SPAN-SAMPLED`.
fn read(mut headers: impl Iterator<Item = (&'static str, String)>) -> Option<ActiveSpan> {
    let (_, header) = headers.find(|(name, _)| *name == "sentry-trace")?;
    let mut parts = header.split('-').skip(1);
    Some(ActiveSpan { id: SpanId::parse(parts.next()?)?, sampled: parts.next() == Some("1") })
}

/// As the other SDKs map it.
fn span_status(status: u16) -> SpanStatus {
    match status {
        100..=399 => SpanStatus::Ok,
        401 => SpanStatus::Unauthenticated,
        403 => SpanStatus::PermissionDenied,
        404 => SpanStatus::NotFound,
        409 => SpanStatus::AlreadyExists,
        413 | 429 => SpanStatus::ResourceExhausted,
        400..=499 => SpanStatus::InvalidArgument,
        501 => SpanStatus::Unimplemented,
        503 => SpanStatus::Unavailable,
        504 => SpanStatus::DeadlineExceeded,
        500..=599 => SpanStatus::InternalError,
        _ => SpanStatus::UnknownError,
    }
}
