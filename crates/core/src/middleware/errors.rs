//! Turns errors and panics into problem responses, and reports uncaught failures once.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{Error, HttpResponse, ResponseError};
use cyanotype_actix::response_log::{AlreadyReported, failure_of};
use cyanotype_telemetry::failure::Failure;
use cyanotype_telemetry::refused_requests::RefusedRequest;
use cyanotype_telemetry::{EventId, Kind, Report, panic, pipeline, request};
use futures_util::FutureExt;
use futures_util::future::{Either, ready};

use crate::handler::problem::Problem;
use crate::settings::Env;

pub(crate) fn convert_failures<S>(
    request: ServiceRequest,
    inner: &S,
) -> impl Future<Output = Result<ServiceResponse, Error>> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
{
    match catch_unwind(AssertUnwindSafe(|| inner.call(request))) {
        Ok(response) => Either::Left(AssertUnwindSafe(response).catch_unwind().map(into_response_result)),
        Err(panic) => Either::Right(ready(into_response_result(Err(panic)))),
    }
}

fn into_response_result(
    outcome: std::thread::Result<Result<ServiceResponse, Error>>,
) -> Result<ServiceResponse, Error> {
    match outcome {
        Ok(Ok(response)) => Ok(with_problem(response)),
        Ok(Err(error)) => Err(ProblemResponse::from_error(&error).into()),
        Err(panic) => Err(ProblemResponse::from_panic(&*panic).into()),
    }
}

/// Replaces an error response with a problem response, unless it already is one.
pub(super) fn with_problem(mut response: ServiceResponse) -> ServiceResponse {
    if response.response().extensions().contains::<AlreadyReported>() {
        return response;
    }
    let status = response.status();
    let problem = match response.response().error() {
        Some(error) => problem_response(error, status),
        // The router's response to a method that the route does not support.
        None if status == StatusCode::METHOD_NOT_ALLOWED && is_empty(response.response().body().size()) => {
            let allowed = allowed_methods(response.headers());
            if let Ok(allowed) = HeaderValue::from_str(&allowed) {
                response.headers_mut().insert(ALLOW, allowed);
            }
            if response.request().method() == Method::OPTIONS {
                *response.response_mut().status_mut() = StatusCode::NO_CONTENT;
                return response;
            }
            Problem::new(status, "method not supported by this route; the header `allow` lists the supported methods")
                .to_response(request::current().as_deref(), None, env())
        }
        None => return response,
    };
    // The other headers remain, such as `allow`. Those of the problem response take precedence.
    let replaced = [CONTENT_TYPE, CONTENT_LENGTH];
    let is_retained = |name: &HeaderName| !replaced.contains(name) && !problem.headers().contains_key(name);
    let retained = response.headers().iter().filter(|(name, _)| is_retained(name));
    let retained: Vec<_> = retained.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut response = response.into_response(problem);
    for (name, value) in retained {
        response.headers_mut().append(name, value);
    }
    response.response_mut().extensions_mut().insert(AlreadyReported);
    response
}

/// The problem response for an error. A failure of the service is reported.
fn problem_response(error: &Error, status: StatusCode) -> HttpResponse {
    let request = request::current();
    let wrapped;
    let problem = match error.as_error::<Problem>() {
        Some(problem) => problem,
        None => {
            wrapped = if status.is_server_error() {
                Problem::of_failure(status, failure_of(error))
            } else {
                Problem::new(status, error.to_string())
            };
            &wrapped
        }
    };
    let is_failure = status.is_server_error() && !problem.is_refusal();
    let event_id = if is_failure { report(problem.failure()) } else { None };
    problem.to_response(request.as_deref(), event_id, env())
}

fn report(failure: Failure) -> Option<EventId> {
    pipeline()?.report(Report::failure(Kind::Uncaught, "cyanotype::failures", failure))
}

fn env() -> Env {
    pipeline().map_or(Env::Prod, |pipeline| pipeline.policy().env)
}

/// The methods of a route as the router lists them, plus the implied HEAD and OPTIONS.
fn allowed_methods(headers: &HeaderMap) -> String {
    let own = headers.get(ALLOW).and_then(|own| own.to_str().ok()).unwrap_or_default();
    let mut methods: Vec<&str> = own.split(',').map(str::trim).filter(|method| !method.is_empty()).collect();
    let also: &[&str] = if methods.contains(&"GET") { &["HEAD", "OPTIONS"] } else { &["OPTIONS"] };
    methods.retain(|method| !also.contains(method));
    [&methods, also].concat().join(", ")
}

fn is_empty(size: BodySize) -> bool {
    matches!(size, BodySize::None | BodySize::Sized(0))
}

/// A complete response in the form of an error. A service response needs the request, which was lost with the failed call.
#[derive(Debug)]
struct ProblemResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    refused: Option<RefusedRequest>,
}

impl ProblemResponse {
    fn from_error(error: &Error) -> Self {
        Self::from(problem_response(error, error.as_response_error().status_code()))
    }

    fn from_panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let request = request::current();
        // The panic hook has reported it, unless it was resumed: then it is reported here.
        let event_id = panic::report_caught(payload);
        let problem = Problem::internal(format!("panicked: {}", Failure::from_panic(payload).first().message));
        Self::from(problem.to_response(request.as_deref(), event_id, env()))
    }
}

impl From<HttpResponse> for ProblemResponse {
    fn from(response: HttpResponse) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let refused = response.extensions().get().copied();
        Self { status, headers, refused, body: response.into_body().try_into_bytes().unwrap_or_default() }
    }
}

impl fmt::Display for ProblemResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status.fmt(f)
    }
}

impl ResponseError for ProblemResponse {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::with_body(self.status, self.body.clone()).map_into_boxed_body();
        *response.headers_mut() = self.headers.clone();
        let mut extensions = response.extensions_mut();
        extensions.insert(AlreadyReported);
        if let Some(refused) = self.refused {
            extensions.insert(refused);
        }
        drop(extensions);
        response
    }
}
