//! Counts the requests in flight, and the durations of those that were answered. The shutdown waits for them, and closes their
//! connections.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::ResponseHead;
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::web::Bytes;
use cyanotype_telemetry::request::RequestContext;
use pin_project_lite::pin_project;

use crate::request_metrics::{RequestMetrics, SeriesIndex};

/// How often the shutdown checks for remaining requests.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The requests in flight of a service.
#[derive(Debug, Clone)]
pub(crate) struct InFlightRequests(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    count: AtomicUsize,
    stopping: AtomicBool,
    metrics: RequestMetrics,
}

/// Counts one request, from its first middleware to the end of its response body.
#[derive(Debug)]
pub(crate) struct RequestGuard {
    counters: Arc<Counters>,
    context: Arc<RequestContext>,
    /// Where the duration is counted; `None` until there is a response.
    series: Option<SeriesIndex>,
}

impl InFlightRequests {
    /// Requests to an app with these route patterns.
    pub(crate) fn new(patterns: impl IntoIterator<Item = String>) -> Self {
        Self(Arc::new(Counters {
            count: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            metrics: RequestMetrics::new(patterns),
        }))
    }

    pub(crate) fn begin(&self, context: Arc<RequestContext>) -> RequestGuard {
        self.0.count.fetch_add(1, Ordering::Relaxed);
        RequestGuard { counters: Arc::clone(&self.0), context, series: None }
    }

    /// The number of requests in flight.
    pub(crate) fn count(&self) -> usize {
        self.0.count.load(Ordering::Relaxed)
    }

    /// The durations of the requests that were answered.
    pub(crate) fn metrics(&self) -> &RequestMetrics {
        &self.0.metrics
    }

    /// Marks the service as stopping: from now on each response closes its connection.
    pub(crate) fn mark_stopping(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }

    /// Waits until no request is in flight, or the deadline is reached.
    pub(crate) async fn wait(&self, deadline: Instant) {
        while self.count() > 0 && Instant::now() < deadline {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

impl RequestGuard {
    pub(crate) const fn context(&self) -> &Arc<RequestContext> {
        &self.context
    }

    /// Whether the service is stopping, so that the connection must be closed.
    pub(crate) fn must_close_connection(&self) -> bool {
        self.counters.stopping.load(Ordering::Relaxed)
    }

    /// Marks the request as answered: its duration counts, even if the client leaves before the end of the body. `request` is `None`
    /// if its handler panicked.
    pub(crate) fn answer(&mut self, request: Option<&HttpRequest>, status: StatusCode) {
        self.series = Some(self.counters.metrics.series(request, self.context.identity(), status));
    }
}

/// Closes the connection after this response. That of a WebSocket is its own from now on, and ends with it.
pub(crate) fn close_connection(head: &mut ResponseHead) {
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        head.set_connection_type(ConnectionType::Close);
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        // Before the request stops being in flight, so that the last metrics of a shutdown include it.
        if let Some(series) = self.series {
            self.counters.metrics.record(series, self.context.started(), self.context.identity());
        }
        self.counters.count.fetch_sub(1, Ordering::Relaxed);
    }
}

pin_project! {
    /// A body that counts as in flight until it ends.
    pub struct InFlightBody<B> {
        #[pin]
        body: B,
        guard: RequestGuard,
        // For HEAD: the headers describe a body that is not sent.
        headers_only: bool,
    }
}

impl<B> InFlightBody<B> {
    pub(crate) const fn new(body: B, guard: RequestGuard, headers_only: bool) -> Self {
        Self { body, guard, headers_only }
    }
}

impl<B: MessageBody> MessageBody for InFlightBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        // A stream may be endless.
        if self.headers_only { Poll::Ready(None) } else { self.project().body.poll_next(cx) }
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        if self.headers_only {
            return Err(self);
        }
        let Self { body, guard, headers_only } = self;
        body.try_into_bytes().map_err(|body| Self { body, guard, headers_only })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::HttpResponse;

    use super::*;

    #[test]
    fn every_connection_but_that_of_a_websocket_is_closed() {
        for (mut response, closed) in [
            (HttpResponse::Ok().finish(), true),
            (HttpResponse::InternalServerError().finish(), true),
            (HttpResponse::SwitchingProtocols().upgrade("websocket").finish(), false),
        ] {
            let head = response.head_mut();
            close_connection(head);
            assert_eq!((head.connection_type() == ConnectionType::Close, head.upgrade()), (closed, !closed));
        }
    }
}
