//! Preflights, which the CORS layer answers itself: they count like other requests, and what it refuses is a problem.

use std::sync::Arc;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::ACCESS_CONTROL_REQUEST_METHOD;
use actix_web::middleware::Next;

use super::errors::answered;
use super::rate_limit::{Limiters, limit_rate};

/// Stands outside the CORS layer; other requests are counted inside, where their refusals can be read by a page.
pub(crate) async fn watch_preflights<B: MessageBody + 'static>(
    limits: Option<Arc<Limiters>>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse, Error> {
    let answer = match limits.filter(|_| is_preflight(&request)) {
        Some(limits) => limit_rate(limits, request, next).await,
        None => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
    };
    answer.map(answered)
}

/// As the CORS layer has it.
fn is_preflight(request: &ServiceRequest) -> bool {
    let asks_for = || request.headers().get(ACCESS_CONTROL_REQUEST_METHOD);
    request.method() == Method::OPTIONS
        && asks_for().is_some_and(|method| Method::from_bytes(method.as_bytes()).is_ok())
}
