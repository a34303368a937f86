//! Gives every request its context, and every answer what the context knows of it.

use std::sync::Arc;

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use futures_util::FutureExt;

use super::answer_headers::Defaults;
use crate::pipeline::Pipeline;
use crate::request::{self, RequestContext};

/// Runs everything inside as work for this request.
pub(crate) fn give_context<S, B>(
    pipeline: &'static Pipeline,
    headers: &Defaults,
    request: ServiceRequest,
    inner: &S,
) -> impl Future<Output = Result<ServiceResponse<B>, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    let context = Arc::new(RequestContext::new(pipeline, &request));
    // The inner call itself, not only its future, belongs to the request.
    let answer = request::sync_scope(&context, || inner.call(request));
    let headers = headers.clone();
    let asked = Arc::clone(&context);
    request::scope(context, answer.map(move |answer| headers.give(answer, asked)))
}
