//! What all operations of the document have in common.

use utoipa::openapi::path::Operation;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::problem::{FieldError, PROBLEM, Problem};

pub(super) const DESCRIPTION: &str = "\
**Problems.** Whatever cannot be answered is answered as `application/problem+json` (RFC 9457). `request_id` names the request \
in the service's log; `errors` names the fields that are wrong.\n\n\
**Requests.** A valid `x-request-id` is taken over, else one is made; every answer returns it. `traceparent` and `sentry-trace` \
go on.\n\n\
**Who is calling** is told by a bearer token in the `authorization` header.\n\n\
**Pages.** Lists take `limit` and `after`, the id of the last item seen. `next` is the id to go on after, or null at the end; \
the header `link` has the address of the next page.\n\n\
**Changes.** Where an answer has an `etag`, `if-none-match` saves reading it again, and `if-match` changes it only as long as \
nobody else has.\n\n\
**Once.** Where an `idempotency-key` is taken, a request that is sent again with its key is done once and answered the same.";

/// Schemas that all blueprints share.
pub(super) const SCHEMAS: [&str; 2] = ["Problem", "FieldError"];

/// A problem's name in the document, its status, and when it is the answer.
type Case = (&'static str, u16, &'static str);

const UNREADABLE: Case = ("Unreadable", 400, "What was sent cannot be read");
const NOT_KNOWN: Case = ("CallerUnknown", 401, "There is no bearer token, or it is not valid any more");
const LATE: Case = ("BodyLate", 408, "The body did not come in time");
const TOO_LARGE: Case = ("BodyTooLarge", 413, "The body is larger than what is read");
const NOT_JSON: Case = ("NotJson", 415, "The body is not sent as JSON");
const INVALID: Case = ("Invalid", 422, "The request can be read, and some of it cannot be taken");
const TOO_MANY: Case =
    ("TooManyRequests", 429, "This client has sent too many requests; `retry-after` says when to come back");
const FAILED: Case = ("Failed", 500, "The service failed; it has been reported");
const UNAVAILABLE: Case = ("Unavailable", 503, "Something that is needed does not answer in time");

const ALL: [Case; 9] = [UNREADABLE, NOT_KNOWN, LATE, TOO_LARGE, NOT_JSON, INVALID, TOO_MANY, FAILED, UNAVAILABLE];

/// Adds the problems that an operation can be answered with by its kind, beside those that it names itself.
pub(super) fn complete(operation: &mut Operation, path: &str) {
    let mut problems = vec![TOO_MANY, FAILED, UNAVAILABLE];
    if path.contains('{') {
        problems.push(UNREADABLE);
    }
    if operation.security.as_ref().is_some_and(|required| !required.is_empty()) {
        problems.push(NOT_KNOWN);
    }
    if operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty()) {
        problems.push(INVALID);
    }
    if operation.request_body.is_some() {
        problems.extend([UNREADABLE, LATE, TOO_LARGE, NOT_JSON, INVALID]);
    }
    for (name, status, _) in problems {
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_string()).or_insert_with(|| RefOr::Ref(Ref::from_response_name(name)));
    }
}

/// Adds what the operations refer to.
pub(super) fn add_to(components: &mut Components) {
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    components.schemas.insert(FieldError::name().into_owned(), FieldError::schema());
    for (name, _, description) in ALL {
        components.responses.insert(name.into(), RefOr::T(problem(description)));
    }
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("bearer", bearer);
}

/// An answer that is a problem.
fn problem(description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Problem")))).build();
    ResponseBuilder::new().description(description).content(PROBLEM, content).build()
}
