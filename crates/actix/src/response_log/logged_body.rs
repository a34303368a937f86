//! The body of a logged response: chunks pass unchanged and immediately, and only the recorded part is stored.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use cyanotype_telemetry::failure::Failure;
use cyanotype_telemetry::panic;
use cyanotype_telemetry::record::Outcome;
use cyanotype_telemetry::request;
use pin_project_lite::pin_project;

use super::exchange::Exchange;

pin_project! {
    /// The body of a response that [`ResponseLogger`](super::ResponseLogger) records.
    pub struct LoggedBody<B> {
        #[pin]
        body: Body<B>,
        // `None` when nothing is recorded. Boxed, because outer layers move the body.
        exchange: Option<Box<Exchange>>,
    }
}

pin_project! {
    #[project = BodyProjection]
    enum Body<B> {
        // The complete body, the most common case.
        Complete { bytes: Bytes },
        Streaming { #[pin] body: B },
    }
}

impl<B: MessageBody> LoggedBody<B> {
    /// `exchange` is `None` when the body is not recorded.
    pub(super) fn of(body: B, exchange: Option<Box<Exchange>>) -> Self {
        let Some(exchange) = exchange else { return Self::passthrough(body) };
        let body = match body.size() {
            BodySize::Sized(1..) => match body.try_into_bytes() {
                Ok(bytes) => Body::Complete { bytes },
                Err(body) => Body::Streaming { body },
            },
            _ => Body::Streaming { body },
        };
        Self { body, exchange: Some(exchange) }
    }

    pub(super) fn passthrough(body: B) -> Self {
        Self { body: Body::Streaming { body }, exchange: None }
    }
}

impl<B: MessageBody> MessageBody for LoggedBody<B> {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        match &self.body {
            Body::Complete { bytes } => BodySize::Sized(bytes.len() as u64),
            Body::Streaming { body } => body.size(),
        }
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.project();
        match (this.body.project(), this.exchange) {
            (BodyProjection::Complete { bytes }, exchange) => {
                if bytes.is_empty() {
                    return Poll::Ready(None);
                }
                if let Some(exchange) = exchange {
                    exchange.prefix.push_complete(bytes);
                    exchange.end(Outcome::Complete);
                }
                Poll::Ready(Some(Ok(std::mem::take(bytes))))
            }
            (BodyProjection::Streaming { body }, None) => body.poll_next(cx).map_err(Into::into),
            (BodyProjection::Streaming { body }, Some(exchange)) => poll_observed(body, exchange, cx),
        }
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { body, mut exchange } = self;
        let bytes = match body {
            Body::Complete { bytes } => bytes,
            Body::Streaming { body } => match body.try_into_bytes() {
                Ok(bytes) => bytes,
                Err(body) => return Err(Self { body: Body::Streaming { body }, exchange }),
            },
        };
        if let Some(exchange) = &mut exchange {
            exchange.prefix.push_complete(&bytes);
            exchange.end(Outcome::Complete);
        }
        Ok(bytes)
    }
}

/// Polls the body within its request, because the body is polled outside the handler's future.
fn poll_observed<B: MessageBody>(
    body: Pin<&mut B>,
    exchange: &mut Exchange,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, Box<dyn Error>>>> {
    let context = Arc::clone(&exchange.context);
    request::run_in_sync(&context, || match catch_unwind(AssertUnwindSafe(|| body.poll_next(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(Some(Ok(chunk)))) => {
            exchange.prefix.push(&chunk);
            Poll::Ready(Some(Ok(chunk)))
        }
        Ok(Poll::Ready(None)) => {
            exchange.end(Outcome::Complete);
            Poll::Ready(None)
        }
        Ok(Poll::Ready(Some(Err(error)))) => {
            let error: Box<dyn Error> = error.into();
            exchange.end(Outcome::Error);
            exchange.report(Failure::from_body_error(&*error));
            Poll::Ready(Some(Err(error)))
        }
        // The status has been sent, so the connection must end.
        Err(payload) => {
            exchange.end(Outcome::Error);
            // The panic hook has reported it, unless it was resumed.
            panic::report_caught(&*payload);
            Poll::Ready(Some(Err("the body stream panicked".into())))
        }
    })
}
