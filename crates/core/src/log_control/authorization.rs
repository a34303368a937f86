//! Authorization of requests under `/log`.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ALLOW, HeaderValue, ORIGIN};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpRequest, HttpResponse};

use super::peer::Peer;
use super::state::{LogControl, LogControlState};
use crate::handler::auth::bearer_token;
use crate::handler::problem::{Problem, Result};

const HOW_TO_ENABLE: &str = "changes over TCP require a token, but management.token is unset: set management.token \
                             (APP__MANAGEMENT__TOKEN) and send it as a `Bearer` token in the header `authorization`, or \
                             set management.socket and use that Unix socket";
// `Bearer` is in backticks: otherwise redaction would take the next word for a credential and replace it in the audit record.
const SEND_TOKEN: &str = "send management.token as a `Bearer` token in the header `authorization`";
const FROM_WEB_PAGE: &str = "changes from web pages are not accepted: send the request without the header `origin`";

/// Authorizes requests, and records every refused change, whether refused here or by a handler.
pub(super) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let control = request.app_data::<Data<LogControl>>().expect("the scope adds it").clone();
    let is_write = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let response = match authorize(&control.0, request.request(), is_write) {
        Ok(()) => with_problem(next.call(request).await?.map_into_boxed_body()),
        Err(problem) => request.error_response(problem),
    };
    if is_write {
        control.0.refusals.audit(control.0.pipeline, &response);
    }
    Ok(response)
}

/// Replaces actix's response to an unsupported method with a problem.
fn with_problem(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let allowed = response.headers().get(ALLOW).cloned().unwrap_or(HeaderValue::from_static("GET"));
    let problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method not supported by this path; the header `allow` lists the supported methods",
    );
    let problem = problem.header(ALLOW, allowed);
    response.into_response(HttpResponse::from_error(problem))
}

fn authorize(control: &LogControlState, request: &HttpRequest, is_write: bool) -> Result<()> {
    if is_write && request.headers().contains_key(ORIGIN) {
        return Err(Problem::forbidden(FROM_WEB_PAGE));
    }
    if let Peer::Socket { .. } = Peer::of(request) {
        return Ok(());
    }
    match (&control.token, bearer_token(request)) {
        (Some(token), Some(given)) if token.matches(&given) => Ok(()),
        (Some(_), Some(_)) => Err(Problem::invalid_token()),
        (Some(_), None) => Err(Problem::unauthorized(SEND_TOKEN)),
        (None, _) if is_write => Err(Problem::forbidden(HOW_TO_ENABLE)),
        (None, _) => Ok(()),
    }
}
