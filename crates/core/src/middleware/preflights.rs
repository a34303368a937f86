//! CORS preflights, which the CORS middleware answers itself: they count towards rate limits, and refusals become problems.

use std::sync::Arc;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::ACCESS_CONTROL_REQUEST_METHOD;
use actix_web::middleware::Next;

use super::errors::with_problem;
use super::rate_limit::{Limiters, limit_rate};

/// Wraps the CORS middleware. Other requests are counted inside it, so that scripts can read a refusal.
pub(crate) async fn handle_preflights<B: MessageBody + 'static>(
    limiters: Option<Arc<Limiters>>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse, Error> {
    let response = match limiters.filter(|_| is_preflight(&request)) {
        Some(limiters) => limit_rate(limiters, request, next).await,
        None => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
    };
    response.map(with_problem)
}

/// Whether the request is a preflight, by the same rule as in the CORS middleware.
fn is_preflight(request: &ServiceRequest) -> bool {
    let requested_method = || request.headers().get(ACCESS_CONTROL_REQUEST_METHOD);
    request.method() == Method::OPTIONS
        && requested_method().is_some_and(|method| Method::from_bytes(method.as_bytes()).is_ok())
}
