//! Gives every request its context, and its blueprint's name once the router knows it.

use std::sync::Arc;

use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, ContentEncoding};
use actix_web::middleware::Next;

use crate::pipeline::Pipeline;
use crate::request::{self, RequestContext};

/// Runs everything inside as work for this request.
pub(crate) async fn give_context<B: MessageBody>(
    pipeline: &'static Pipeline,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let context = Arc::new(RequestContext::new(request.headers(), &pipeline.redactor));
    // The inner call itself, not only its future, belongs to the request.
    request::scope(context, async move { next.call(request).await }).await
}

/// A compressor keeps small chunks back until it has enough; a stream's chunks go out as they are made.
pub(crate) async fn leave_streams_alone<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let may_be_coded = request.headers().contains_key(ACCEPT_ENCODING);
    let mut response = next.call(request).await?;
    let is_stream = response.response().body().size() == BodySize::Stream;
    if may_be_coded && is_stream && !response.headers().contains_key(CONTENT_ENCODING) {
        response.headers_mut().insert(CONTENT_ENCODING, ContentEncoding::Identity.to_header_value());
    }
    Ok(response)
}
