//! Errors of handlers: problem responses (RFC 9457), with an internal cause for the log.
//!
//! A client error has a detail that the client may see. The cause of an internal error is written to the log and Sentry only;
//! the client receives the request id and the event id.

mod body;
mod cause;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use cyanotype_telemetry::EventId;
use cyanotype_telemetry::failure::Failure;
use cyanotype_telemetry::refused_requests::RefusedRequest;
use cyanotype_telemetry::request::{self, RequestContext};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::settings::Env;
use crate::time::ceil_seconds;
pub use body::FieldError;
use body::{MAX_FIELDS, ProblemBody};
use cause::Cause;

/// The content type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The return type of a handler.
///
/// ```
/// use actix_web::HttpResponse;
/// use cyanotype::{Problem, Result};
///
/// async fn read(stored: &str) -> Result<HttpResponse> {
///     let count: u32 = stored.parse()?; // an internal error: 500, reported
///     if count == 0 {
///         return Err(Problem::not_found("product")); // a client error: 404, not reported
///     }
///     Ok(HttpResponse::Ok().json(count))
/// }
/// ```
pub type Result<T = HttpResponse, E = Problem> = std::result::Result<T, E>;

/// An error response of type `application/problem+json` (RFC 9457).
///
/// The `?` operator converts any error into an internal error (500) and captures a stack trace there. That includes
/// `anyhow::Error`, `eyre::Report` and boxed errors. With the features `anyhow` and `eyre` the problem has the type of the error in
/// them, and the backtrace that anyhow captured, if `RUST_BACKTRACE` or `RUST_LIB_BACKTRACE` enables that.
pub struct Problem {
    status: StatusCode,
    detail: Option<String>,
    fields: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Box<Cause>>,
    /// Whether the request was refused because of a rate limit or overload: not a failure, even if the status is 503.
    is_refusal: bool,
}

impl Problem {
    /// A problem with a detail that the client may see.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: Some(detail.into()),
            fields: Vec::new(),
            headers: Vec::new(),
            cause: None,
            is_refusal: false,
        }
    }

    /// 400 Bad Request.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401 Unauthorized, with a `WWW-Authenticate` challenge for a bearer token.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail).header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 401 Unauthorized for an invalid or expired bearer token (RFC 6750, section 3.1).
    pub fn invalid_token() -> Self {
        let detail = "invalid or expired token";
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        Self::new(StatusCode::UNAUTHORIZED, detail).header(header::WWW_AUTHENTICATE, challenge)
    }

    /// 403 Forbidden.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404 Not Found, with the detail "there is no such `thing`".
    pub fn not_found(thing: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no such {thing}"))
    }

    /// 409 Conflict.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 422 Unprocessable Content, for invalid fields. The response lists up to 20 of them.
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "the request has invalid values");
        Self { fields, ..problem }
    }

    /// 422 Unprocessable Content, for one invalid field.
    pub fn invalid_field(field: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// 429 Too Many Requests: a client, account or address has reached its limit. `Retry-After` is `retry_after`, rounded up
    /// to whole seconds, at least one.
    ///
    /// Like [`overloaded`](Self::overloaded) it is logged at level warning and is not a failure: it is not reported as an
    /// error, and one warning per `log.flood.window_s` contains the count.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use actix_web::ResponseError;
    /// use cyanotype::Problem;
    ///
    /// let problem = Problem::too_many_requests(Duration::from_millis(1500), "too many wrong passwords");
    /// let response = problem.error_response();
    /// assert_eq!(response.status(), 429);
    /// assert_eq!(response.headers().get("retry-after").unwrap(), "2");
    /// ```
    pub fn too_many_requests(retry_after: Duration, detail: impl Into<String>) -> Self {
        Self::refusal(StatusCode::TOO_MANY_REQUESTS, retry_after, detail)
    }

    /// 503 Service Unavailable: the service sheds this request because of load. Logged like
    /// [`too_many_requests`](Self::too_many_requests).
    pub fn overloaded(retry_after: Duration, detail: impl Into<String>) -> Self {
        Self::refusal(StatusCode::SERVICE_UNAVAILABLE, retry_after, detail)
    }

    fn refusal(status: StatusCode, retry_after: Duration, detail: impl Into<String>) -> Self {
        let problem = Self { is_refusal: true, ..Self::new(status, detail) };
        problem.header(header::RETRY_AFTER, HeaderValue::from(ceil_seconds(retry_after).max(1)))
    }

    /// Whether the request was refused because of a rate limit or overload.
    pub(crate) fn is_refusal(&self) -> bool {
        self.is_refusal
    }

    /// 500 Internal Server Error; only the log and Sentry receive the error. 503 if the error is an outage of the database.
    pub fn internal(error: impl Into<Box<dyn Error + Send + Sync>> + 'static) -> Self {
        Self::of_cause(Cause::new(error))
    }

    /// Like [`internal`](Self::internal), for an error that is borrowed or cannot be sent to another thread: its texts and
    /// those of its sources are copied.
    ///
    /// ```
    /// use cyanotype::{Problem, Result};
    ///
    /// fn load() -> std::result::Result<u8, Box<dyn std::error::Error>> {
    ///     Ok("7".parse()?)
    /// }
    ///
    /// async fn read() -> Result<String> {
    ///     let loaded = load().map_err(|error| Problem::internal_from(&*error))?;
    ///     Ok(loaded.to_string())
    /// }
    /// ```
    pub fn internal_from(error: &(dyn Error + 'static)) -> Self {
        Self::of_cause(Cause::texts_of(error))
    }

    /// A server error that causes this failure.
    pub(crate) fn of_failure(status: StatusCode, failure: Failure) -> Self {
        Self::of_cause(Cause::of_failure(failure)).with_status(status)
    }

    fn of_cause(cause: Cause) -> Self {
        let (status, outage) = (StatusCode::INTERNAL_SERVER_ERROR, cause.outage);
        let (fields, headers) = (Vec::new(), Vec::new());
        let problem = Self { status, detail: None, fields, headers, cause: Some(cause.into()), is_refusal: false };
        if outage { problem.into_unavailable() } else { problem }
    }

    /// 503 Service Unavailable, because a dependency is unavailable; only the log and Sentry receive the error.
    pub fn unavailable(error: impl Into<Box<dyn Error + Send + Sync>> + 'static) -> Self {
        Self::internal(error).into_unavailable()
    }

    fn into_unavailable(mut self) -> Self {
        self.status = StatusCode::SERVICE_UNAVAILABLE;
        self.headers.retain(|(name, _)| name != header::RETRY_AFTER);
        self.header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    pub(crate) fn is_server_error(&self) -> bool {
        self.status.is_server_error()
    }

    /// A summary for the audit record: status, detail and names of the fields, without values that the client sent.
    pub(crate) fn summary(&self) -> String {
        let mut summary = self.status.as_str().to_owned();
        if let Some(detail) = &self.detail {
            summary.push_str(": ");
            summary.push_str(detail);
        }
        if !self.fields.is_empty() {
            let names: Vec<String> = self.fields.iter().take(MAX_FIELDS).map(|field| field.truncated().field).collect();
            summary.push_str(&format!(" ({})", names.join(", ")));
        }
        summary
    }

    /// Sets the invalid fields.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<FieldError>) -> Self {
        self.fields = fields;
        self
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Adds a response header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The failure to report if the status is 5xx.
    pub(crate) fn failure(&self) -> Failure {
        match &self.cause {
            Some(cause) => cause.failure(),
            None => Failure::from_message("Problem", self.to_string()),
        }
    }

    /// The response, with the request id and, in dev, with the cause.
    pub(crate) fn to_response(
        &self,
        request: Option<&RequestContext>,
        event_id: Option<EventId>,
        env: Env,
    ) -> HttpResponse {
        let detail = match (&self.detail, &self.cause, env) {
            (Some(detail), ..) => Some(detail.clone()),
            (None, Some(_), Env::Dev) => Some(self.failure().messages().join(": ")),
            _ => None,
        };
        let more = self.fields.len().saturating_sub(MAX_FIELDS);
        let detail = match detail {
            Some(detail) if more > 0 => Some(format!("{detail}; {more} more invalid fields are not listed")),
            detail => detail,
        };
        let errors: Vec<FieldError> = self.fields.iter().take(MAX_FIELDS).map(FieldError::truncated).collect();
        let mut response = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            response.append_header((name.clone(), value.clone()));
        }
        let body = ProblemBody {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Unknown"),
            status: self.status.as_u16(),
            detail,
            errors: &errors,
            request_id: request.map(|request| request.identity().id()),
            sentry_event_id: event_id,
        };
        let mut response = response.content_type(PROBLEM_JSON).body(body.to_json());
        if self.is_refusal {
            response.extensions_mut().insert(RefusedRequest);
        }
        response
    }
}

/// For the OpenAPI document.
impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        ProblemBody::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        "Problem".into()
    }

    fn schemas(all: &mut Vec<(String, RefOr<Schema>)>) {
        ProblemBody::schemas(all);
    }
}

/// Every error, including those that only convert into one, such as `anyhow::Error`, `eyre::Report` and `Box<dyn Error + Send +
/// Sync>`.
impl<E: Into<Box<dyn Error + Send + Sync>> + 'static> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::internal(error)
    }
}

/// For the log: the cause or, without one, the detail.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cause, &self.detail) {
            (Some(cause), _) => cause.fmt(f),
            (None, Some(detail)) => f.write_str(detail),
            (None, None) => self.status.fmt(f),
        }
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Problem({}: {self})", self.status)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        // The errors middleware replaces this response with one that contains the event id when it reports the failure.
        self.to_response(request::current().as_deref(), None, Env::Prod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::MessageBody;

    fn body(problem: &Problem, env: Env) -> String {
        let bytes = problem.to_response(None, None, env).into_body().try_into_bytes().expect("a complete body");
        String::from_utf8(bytes.to_vec()).expect("UTF-8")
    }

    #[test]
    fn an_internal_error_is_hidden_from_the_client_in_prod() {
        let problem = Problem::from(std::io::Error::other("the disk at /secret is gone"));
        assert_eq!(body(&problem, Env::Prod), r#"{"type":"about:blank","title":"Internal Server Error","status":500}"#);
        assert!(body(&problem, Env::Dev).contains("the disk at /secret is gone"));
        assert_eq!(problem.failure().messages(), ["the disk at /secret is gone"]);
    }

    #[test]
    fn a_response_lists_20_fields_and_counts_the_others() {
        let fields =
            (0..500).map(|n| FieldError { field: format!("lines[{n}].{}", "é".repeat(300)), message: "no".into() });
        let json: serde_json::Value =
            serde_json::from_str(&body(&Problem::invalid(fields.collect()), Env::Prod)).expect("JSON");
        assert_eq!(json["detail"], "the request has invalid values; 480 more invalid fields are not listed");
        let errors = json["errors"].as_array().expect("a list");
        assert_eq!(errors.len(), 20);
        assert!(errors.iter().all(|error| error["field"].as_str().is_some_and(|field| field.chars().count() == 201)));
    }

    #[test]
    fn a_client_error_names_the_invalid_field() {
        let problem = Problem::invalid_field("lines[0].quantity", "must be at least 1");
        let json: serde_json::Value = serde_json::from_str(&body(&problem, Env::Prod)).expect("JSON");
        assert_eq!(json["status"], 422);
        assert_eq!(json["errors"][0]["field"], "lines[0].quantity");
    }
}
