//! The transaction of a request. sentry-actix starts it, and finishes it when the response begins.

use std::sync::Arc;

use cyanotype_telemetry::request::{ActiveSpan, RequestIdentity};
use sentry::protocol::SpanStatus;
use sentry::{Hub, TransactionOrSpan};

use crate::event;

/// The hub that sentry-actix has bound for a request, with its transaction.
pub(crate) struct TracedRequest {
    pub hub: Arc<Hub>,
    transaction: TransactionOrSpan,
}

impl TracedRequest {
    /// The current request; `None` if it has not passed sentry-actix.
    pub(crate) fn current() -> Option<Self> {
        let hub = Hub::current();
        let transaction = hub.configure_scope(|scope| scope.get_span())?;
        Some(Self { hub, transaction })
    }

    /// Adds what is known of the request when its response begins: sentry-actix adds no tags, and an URL that follows the target.
    pub(crate) fn describe(&self, request: &RequestIdentity, status: Option<u16>) {
        let transaction = &self.transaction;
        if !active(transaction).is_some_and(|span| span.sampled) {
            return;
        }
        request.transaction().iter().for_each(|name| transaction.set_name(name));
        transaction.set_request(event::parts(&request.parts));
        event::tags(request).iter().for_each(|(name, value)| transaction.set_tag(name, value));
        status.iter().for_each(|status| transaction.set_data("http.response.status_code", (*status).into()));
    }

    /// Finishes the transaction of a client that left before the response began.
    pub(crate) fn cancel(&self, request: &RequestIdentity) {
        self.describe(request, None);
        self.transaction.set_status(SpanStatus::Cancelled);
        Hub::run(Arc::clone(&self.hub), || self.transaction.clone().finish());
    }

    /// The span that code has set last, or else the transaction.
    pub(crate) fn active_span(&self) -> Option<ActiveSpan> {
        self.hub.configure_scope(|scope| scope.get_span()).as_ref().and_then(active)
    }
}

/// Read from the span's header: the SDK has no other method for the sampling decision.
fn active(span: &TransactionOrSpan) -> Option<ActiveSpan> {
    let (_, header) = span.iter_headers().find(|(name, _)| *name == "sentry-trace")?;
    ActiveSpan::from_sentry_trace(&header)
}
