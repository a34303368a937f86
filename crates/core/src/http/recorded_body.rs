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
use super::seen::Seen;
use crate::failure::Failure;
use crate::record::Outcome;
use crate::request;

pin_project! {
    pub struct Recorded<B> {
        #[pin]
        body: B,
        watch: Watch,
    }
}

/// What has been seen of the body. Dropped before the end, it is recorded as what the client saw of it.
struct Watch {
    exchange: Exchange,
    seen: Seen,
}

impl<B: MessageBody> Recorded<B> {
    pub(super) fn new(body: B, exchange: Exchange) -> Self {
        let seen = Seen::new(exchange.wanted());
        Self { body, watch: Watch { exchange, seen } }
    }
}

impl Watch {
    fn end(&mut self, outcome: Outcome) {
        self.exchange.end(outcome, self.seen.beginning(), self.seen.passed);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let whole = self.exchange.is_whole(self.seen.passed);
        self.end(if whole { Outcome::Complete } else { Outcome::Aborted });
    }
}

impl<B: MessageBody> MessageBody for Recorded<B> {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.project();
        let watch = this.watch;
        let body = this.body;
        let context = Arc::clone(&watch.exchange.context);
        // The body is made outside the handler's future, but for the same request.
        request::sync_scope(context, || match catch_unwind(AssertUnwindSafe(|| body.poll_next(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Some(Ok(chunk)))) => {
                watch.seen.pass(&chunk);
                Poll::Ready(Some(Ok(chunk)))
            }
            Ok(Poll::Ready(None)) => {
                watch.end(Outcome::Complete);
                Poll::Ready(None)
            }
            Ok(Poll::Ready(Some(Err(error)))) => {
                let error: Box<dyn Error> = error.into();
                watch.end(Outcome::Error);
                watch.exchange.report(Failure::of_body(&*error));
                Poll::Ready(Some(Err(error)))
            }
            // The panic hook has reported it; the connection ends, since the status has gone out.
            Err(_) => {
                watch.end(Outcome::Error);
                Poll::Ready(Some(Err("the body's stream panicked".into())))
            }
        })
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { body, mut watch } = self;
        match body.try_into_bytes() {
            Ok(bytes) => {
                watch.exchange.end(Outcome::Complete, &bytes, bytes.len() as u64);
                Ok(bytes)
            }
            Err(body) => Err(Self { body, watch }),
        }
    }
}
