//! Parts that all operations of the document share: problem responses, authentication and response headers.

use actix_web::http::StatusCode;
use serde_json::json;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::headers;
use crate::handler::problem::{FieldError, PROBLEM_JSON, Problem};

pub(super) const DESCRIPTION: &str = "\
**Errors.** Every error is `application/problem+json` (RFC 9457). `request_id` identifies the request in the service's log; \
`errors` lists the invalid fields.\n\n\
**Request ids.** A valid `x-request-id` is used as it is, otherwise the service generates one; every response returns it. \
`traceparent` and `sentry-trace` are continued.\n\n\
**Authentication.** Send the token of a login as `authorization: Bearer TOKEN`.\n\n\
**Pagination.** Lists accept `limit` and `after`, the id of the last item of the previous page. `next` is the `after` of the \
next page, or null on the last page; the header `link` contains the URL of the next page.\n\n\
**Concurrent changes.** A response with an `etag` can be revalidated with `if-none-match`; with `if-match` a change is made \
only if the resource has not changed since.\n\n\
**Retries.** A request that is repeated with the same `idempotency-key` is executed once and gets the same response. On a 429 \
or 503, `retry-after` is the number of seconds to wait.";

/// Schemas that all blueprints share.
pub(super) const SCHEMAS: [&str; 2] = ["Problem", "FieldError"];

/// A problem response that several operations share.
struct CommonResponse {
    /// Name in the components of the document.
    name: &'static str,
    status: StatusCode,
    description: &'static str,
    /// The `detail` of its example.
    detail: &'static str,
    field: Option<(&'static str, &'static str)>,
}

const fn common_response(
    name: &'static str,
    status: StatusCode,
    description: &'static str,
    detail: &'static str,
) -> CommonResponse {
    CommonResponse { name, status, description, detail, field: None }
}

const BAD_REQUEST: CommonResponse = common_response(
    "BadRequest",
    StatusCode::BAD_REQUEST,
    "The request cannot be parsed: malformed JSON, or a malformed id in the path",
    "the body is not valid JSON",
);
const UNAUTHORIZED: CommonResponse = common_response(
    "Unauthorized",
    StatusCode::UNAUTHORIZED,
    "The bearer token is missing, invalid or expired",
    "invalid or expired token",
);
const REQUEST_TIMEOUT: CommonResponse = common_response(
    "RequestTimeout",
    StatusCode::REQUEST_TIMEOUT,
    "The body did not arrive in time",
    "the body did not arrive within 10 s",
);
const CONTENT_TOO_LARGE: CommonResponse = common_response(
    "ContentTooLarge",
    StatusCode::PAYLOAD_TOO_LARGE,
    "The body is larger than the service accepts",
    "the body is larger than 1048576 bytes",
);
const UNSUPPORTED_MEDIA_TYPE: CommonResponse = common_response(
    "UnsupportedMediaType",
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "The body's content type is not JSON",
    "send the body as JSON, with `content-type: application/json`",
);
const UNPROCESSABLE_CONTENT: CommonResponse = CommonResponse {
    field: Some(("limit", "greater than 100")),
    ..common_response(
        "UnprocessableContent",
        StatusCode::UNPROCESSABLE_ENTITY,
        "The request is well-formed, but some of its values are invalid; `errors` lists them",
        "the request has invalid values",
    )
};
const TOO_MANY_REQUESTS: CommonResponse = common_response(
    "TooManyRequests",
    StatusCode::TOO_MANY_REQUESTS,
    "The client has sent too many requests; `retry-after` is the number of seconds to wait",
    "rate limit exceeded; retry after 12 s",
);
const INTERNAL_SERVER_ERROR: CommonResponse = common_response(
    "InternalServerError",
    StatusCode::INTERNAL_SERVER_ERROR,
    "The service failed, and the failure has been reported",
    "internal error",
);
const SERVICE_UNAVAILABLE: CommonResponse = common_response(
    "ServiceUnavailable",
    StatusCode::SERVICE_UNAVAILABLE,
    "The service is overloaded, or something it depends on is unavailable",
    "the service is overloaded",
);

const ALL: [&CommonResponse; 9] = [
    &BAD_REQUEST,
    &UNAUTHORIZED,
    &REQUEST_TIMEOUT,
    &CONTENT_TOO_LARGE,
    &UNSUPPORTED_MEDIA_TYPE,
    &UNPROCESSABLE_CONTENT,
    &TOO_MANY_REQUESTS,
    &INTERNAL_SERVER_ERROR,
    &SERVICE_UNAVAILABLE,
];

/// Adds to an operation the problem responses of its kind, `security: []` when it is public, and the response headers.
pub(super) fn complete(operation: &mut Operation, path: &str) {
    let mut problems = vec![&TOO_MANY_REQUESTS, &INTERNAL_SERVER_ERROR, &SERVICE_UNAVAILABLE];
    if path.contains('{') {
        problems.push(&BAD_REQUEST);
    }
    if !operation.security.get_or_insert_default().is_empty() {
        problems.push(&UNAUTHORIZED);
    }
    if operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty()) {
        problems.push(&UNPROCESSABLE_CONTENT);
    }
    if operation.request_body.is_some() {
        problems.extend([&BAD_REQUEST, &REQUEST_TIMEOUT, &CONTENT_TOO_LARGE, &UNSUPPORTED_MEDIA_TYPE]);
        problems.push(&UNPROCESSABLE_CONTENT);
    }
    let responses = &mut operation.responses.responses;
    for case in problems {
        let status = case.status.as_str().to_owned();
        responses.entry(status).or_insert_with(|| RefOr::Ref(Ref::from_response_name(case.name)));
    }
    headers::complete(responses);
}

/// Adds the components that the operations refer to.
pub(super) fn add_to(components: &mut Components) {
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    components.schemas.insert(FieldError::name().into_owned(), FieldError::schema());
    for case in ALL {
        let mut response = problem(case);
        headers::add_to(case.status.as_str(), &mut response);
        components.responses.insert(case.name.into(), RefOr::T(response));
    }
    components.headers.extend(headers::all());
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The token that a login returns, in the header `authorization: Bearer TOKEN`."))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
}

/// A response that is a problem, with an example.
fn problem(case: &CommonResponse) -> Response {
    let mut example = json!({
        "type": "about:blank",
        "title": case.status.canonical_reason(),
        "status": case.status.as_u16(),
        "detail": case.detail,
        "request_id": headers::REQUEST_ID_EXAMPLE,
    });
    if let Some((field, message)) = case.field {
        example["errors"] = json!([{"field": field, "message": message}]);
    }
    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
    let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
    ResponseBuilder::new().description(case.description).content(PROBLEM_JSON, content).build()
}
