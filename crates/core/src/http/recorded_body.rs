//! A body on its way out, watched: chunks go by as they come, and no more of them is kept than the record shows.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use pin_project_lite::pin_project;

use super::exchange::Exchange;
use crate::failure::Failure;
use crate::record::Outcome;
use crate::request;

pin_project! {
    pub struct Recorded<B> {
        #[pin]
        body: Body<B>,
        // `None` where nothing is recorded. Boxed: layers outside move the body about.
        exchange: Option<Box<Exchange>>,
    }
}

pin_project! {
    #[project = BodyProjection]
    enum Body<B> {
        // All of it, as most bodies are: nobody needs to be asked for more.
        Whole { bytes: Bytes },
        Made { #[pin] body: B },
    }
}

impl<B: MessageBody> Recorded<B> {
    pub(super) fn new(body: B, exchange: Box<Exchange>) -> Self {
        let body = match body.size() {
            BodySize::Sized(1..) => match body.try_into_bytes() {
                Ok(bytes) => Body::Whole { bytes },
                Err(body) => Body::Made { body },
            },
            _ => Body::Made { body },
        };
        Self { body, exchange: Some(exchange) }
    }

    pub(super) fn unseen(body: B) -> Self {
        Self { body: Body::Made { body }, exchange: None }
    }
}

impl<B: MessageBody> MessageBody for Recorded<B> {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        match &self.body {
            Body::Whole { bytes } => BodySize::Sized(bytes.len() as u64),
            Body::Made { body } => body.size(),
        }
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.project();
        match (this.body.project(), this.exchange) {
            (BodyProjection::Whole { bytes }, exchange) => {
                if bytes.is_empty() {
                    return Poll::Ready(None);
                }
                if let Some(exchange) = exchange {
                    exchange.seen.pass_whole(bytes);
                    exchange.end(Outcome::Complete);
                }
                Poll::Ready(Some(Ok(std::mem::take(bytes))))
            }
            (BodyProjection::Made { body }, None) => body.poll_next(cx).map_err(Into::into),
            (BodyProjection::Made { body }, Some(exchange)) => poll_watched(body, exchange, cx),
        }
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { body, mut exchange } = self;
        let bytes = match body {
            Body::Whole { bytes } => bytes,
            Body::Made { body } => match body.try_into_bytes() {
                Ok(bytes) => bytes,
                Err(body) => return Err(Self { body: Body::Made { body }, exchange }),
            },
        };
        if let Some(exchange) = &mut exchange {
            exchange.seen.pass_whole(&bytes);
            exchange.end(Outcome::Complete);
        }
        Ok(bytes)
    }
}

/// The body is made outside the handler's future, but for the same request.
fn poll_watched<B: MessageBody>(
    body: Pin<&mut B>,
    exchange: &mut Exchange,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, Box<dyn Error>>>> {
    let context = Arc::clone(&exchange.context);
    request::sync_scope(&context, || match catch_unwind(AssertUnwindSafe(|| body.poll_next(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(Some(Ok(chunk)))) => {
            exchange.seen.pass(&chunk);
            Poll::Ready(Some(Ok(chunk)))
        }
        Ok(Poll::Ready(None)) => {
            exchange.end(Outcome::Complete);
            Poll::Ready(None)
        }
        Ok(Poll::Ready(Some(Err(error)))) => {
            let error: Box<dyn Error> = error.into();
            exchange.end(Outcome::Error);
            exchange.report(Failure::of_body(&*error));
            Poll::Ready(Some(Err(error)))
        }
        // The panic hook has reported it; the connection ends, since the status has gone out.
        Err(_) => {
            exchange.end(Outcome::Error);
            Poll::Ready(Some(Err("the body's stream panicked".into())))
        }
    })
}
