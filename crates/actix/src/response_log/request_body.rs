//! The body of a logged request. It is observed while the handler reads it; nothing else is read.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpMessage;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use cyanotype_telemetry::settings::ResponseLog;
use futures_util::Stream;

use super::body_prefix::BodyPrefix;
use crate::content_type::ContentType;

/// The observed request body, for the record of the response.
#[derive(Debug)]
pub(super) struct RequestBody {
    /// The detail that is observed.
    pub log: ResponseLog,
    pub content_type: ContentType,
    pub prefix: Rc<RefCell<BodyPrefix>>,
}

impl RequestBody {
    /// Wraps the payload of the request, if there is one and `log` is not off.
    pub(super) fn observe(request: &mut ServiceRequest, log: ResponseLog, max_bytes: usize) -> Option<Self> {
        if log == ResponseLog::Off {
            return None;
        }
        let payload = request.take_payload();
        if matches!(payload, Payload::None) {
            return None;
        }
        let content_type = ContentType::of(request.headers());
        let shown = log == ResponseLog::Body && content_type.syntax.is_some();
        let prefix = Rc::new(RefCell::new(BodyPrefix::new(if shown { max_bytes } else { 0 })));
        let observed = ObservedPayload { payload, prefix: Rc::clone(&prefix) };
        request.set_payload(Payload::Stream { payload: Box::pin(observed) });
        Some(Self { log, content_type, prefix })
    }
}

struct ObservedPayload {
    payload: Payload,
    prefix: Rc<RefCell<BodyPrefix>>,
}

impl Stream for ObservedPayload {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.payload).poll_next(cx);
        match &next {
            Poll::Ready(Some(Ok(chunk))) => self.prefix.borrow_mut().push(chunk),
            Poll::Ready(None) => self.prefix.borrow_mut().ended = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        next
    }
}
