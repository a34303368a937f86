//! The span that all spans of a request are inside of, and that its body is streamed in.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use cyanotype_telemetry::{ROOT_SPAN, request};
use tracing::Span;
use tracing::field::Empty;
use tracing_actix_web::RootSpanBuilder;

/// Names the request; what is said of its end stands in the response record. A record names its request without it, so it is
/// there for who looks closer, from debug on.
#[derive(Debug)]
pub struct RootSpan;

impl RootSpan {
    /// Whether the levels in force show it. To make one that nobody sees takes a request 0.2 µs.
    #[must_use]
    pub fn is_shown() -> bool {
        tracing::span_enabled!(tracing::Level::DEBUG)
    }
}

impl RootSpanBuilder for RootSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let method = request.method().as_str();
        let span = tracing::debug_span!(ROOT_SPAN, request_id = Empty, trace_id = Empty, http.request.method = Empty);
        if !span.is_disabled() {
            request::with_current(|context| {
                let request = context.identity();
                span.record("request_id", request.id());
                span.record("trace_id", tracing::field::display(request.trace_id()));
                span.record("http.request.method", method);
            });
        }
        span
    }

    fn on_request_end<B: MessageBody>(_: Span, _: &Result<ServiceResponse<B>, Error>) {}
}
