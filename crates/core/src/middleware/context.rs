//! Creates the context of each request, and applies it to the response: headers, connection state, in-flight count.

use std::sync::Arc;

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use cyanotype_actix::{ClientAddressResolver, request_context};
use cyanotype_telemetry::{Pipeline, request};
use futures_util::FutureExt;

use super::routing::normalize_request;
use crate::middleware::in_flight::{InFlightBody, InFlightRequests, close_connection};
use crate::middleware::response_headers::{DefaultHeaders, with_head};
use crate::settings::TrailingSlash;

/// Runs the inner service within the context of this request.
pub(crate) fn with_request_context<S, B>(
    pipeline: &'static Pipeline,
    headers: &DefaultHeaders,
    address_resolver: &ClientAddressResolver,
    in_flight: &InFlightRequests,
    slash: TrailingSlash,
    mut request: ServiceRequest,
    inner: &S,
) -> impl Future<Output = Result<ServiceResponse<InFlightBody<B>>, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    let context = Arc::new(request_context(pipeline, address_resolver, &request));
    let mut guard = in_flight.begin(Arc::clone(&context));
    normalize_request(&mut request, slash);
    // The synchronous part of the inner call also belongs to the request.
    let response = request::run_in_sync(&context, || inner.call(request));
    let headers = headers.clone();
    let is_head = context.identity().parts.method == Method::HEAD;
    let respond = move |response: Result<ServiceResponse<B>, Error>| {
        match &response {
            Ok(response) => guard.answer(Some(response.request()), response.status()),
            Err(error) => guard.answer(None, error.as_response_error().status_code()),
        }
        let mut response = headers.apply(response, guard.context());
        if guard.must_close_connection() {
            response = with_head(response, close_connection);
        }
        response.map(|response| response.map_body(|_, body| InFlightBody::new(body, guard, is_head)))
    };
    request::run_in(context, response.map(respond))
}
