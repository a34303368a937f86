//! Gives every request its context, and every answer what the context knows of it.

use std::sync::Arc;

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::{ConnectionType, Method};
use cyanotype_actix::{ClientAddresses, request_context};
use cyanotype_telemetry::{Pipeline, request};
use futures_util::FutureExt;

use super::routing::to_routed;
use crate::middleware::in_flight::{FlightBody, InFlight};
use crate::middleware::response_headers::{Defaults, with_head};
use crate::settings::TrailingSlash;

/// Runs everything inside as work for this request.
pub(crate) fn give_context<S, B>(
    pipeline: &'static Pipeline,
    headers: &Defaults,
    clients: &ClientAddresses,
    in_flight: &InFlight,
    slash: TrailingSlash,
    mut request: ServiceRequest,
    inner: &S,
) -> impl Future<Output = Result<ServiceResponse<FlightBody<B>>, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    let flight = in_flight.begin();
    let context = Arc::new(request_context(pipeline, clients, &request));
    to_routed(&mut request, slash);
    // The inner call itself, not only its future, belongs to the request.
    let answer = request::sync_scope(&context, || inner.call(request));
    let headers = headers.clone();
    let asked = Arc::clone(&context);
    let is_head = context.identity().parts.method == Method::HEAD;
    let respond = move |answer| {
        let mut answer = headers.give(answer, asked);
        if flight.is_last() {
            answer = with_head(answer, |head| head.set_connection_type(ConnectionType::Close));
        }
        answer.map(|response: ServiceResponse<B>| response.map_body(|_, body| FlightBody::new(body, flight, is_head)))
    };
    request::scope(context, answer.map(respond))
}
