//! Response headers in the OpenAPI document, by name and by status.

use std::collections::BTreeMap;

use cyanotype_telemetry::request::REQUEST_ID;
use serde_json::{Value, json};
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::response::Response;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, Ref, RefOr};

use crate::middleware::rate_limit;

pub(super) const REQUEST_ID_EXAMPLE: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A header in the components of the document.
struct HeaderDoc {
    name: &'static str,
    component: &'static str,
    kind: Type,
    description: &'static str,
    example: fn() -> Value,
}

const ALL: [HeaderDoc; 9] = [
    HeaderDoc {
        name: "x-request-id",
        component: "RequestId",
        kind: Type::String,
        description: "Request id; identifies the request in the service's log",
        example: || json!(REQUEST_ID_EXAMPLE),
    },
    HeaderDoc {
        name: "retry-after",
        component: "RetryAfter",
        kind: Type::Integer,
        description: "Seconds to wait before retrying",
        example: || json!(12),
    },
    HeaderDoc {
        name: "ratelimit-limit",
        component: "RateLimitLimit",
        kind: Type::Integer,
        description: "Maximum number of requests in a burst; sent only when a rate limit is set",
        example: || json!(100),
    },
    HeaderDoc {
        name: "ratelimit-remaining",
        component: "RateLimitRemaining",
        kind: Type::Integer,
        description: "Number of requests that the client has left",
        example: || json!(42),
    },
    HeaderDoc {
        name: "ratelimit-reset",
        component: "RateLimitReset",
        kind: Type::Integer,
        description: "Seconds until the full limit is available again; on a 429, seconds until the next request is allowed",
        example: || json!(35),
    },
    HeaderDoc {
        name: "etag",
        component: "ETag",
        kind: Type::String,
        description: "Identifies this version of the resource, for `if-none-match` and `if-match`",
        example: || json!("\"6f1c0d3a9be24c756f1c0d3a9be24c75\""),
    },
    HeaderDoc {
        name: "link",
        component: "Link",
        kind: Type::String,
        description: "URLs of the first page and of the next page, if there is one (RFC 8288)",
        example: || {
            json!("</orders?after=01890a5d-ac96-774b-bcce-b302099a8057>; rel=\"next\", </orders>; rel=\"first\"")
        },
    },
    HeaderDoc {
        name: "location",
        component: "Location",
        kind: Type::String,
        description: "URL of the new resource",
        example: || json!("/orders/01890a5d-ac96-774b-bcce-b302099a8057"),
    },
    HeaderDoc {
        name: "www-authenticate",
        component: "WwwAuthenticate",
        kind: Type::String,
        description: "How to authenticate (RFC 6750)",
        example: || json!("Bearer error=\"invalid_token\""),
    },
];

/// The components that [`complete`] refers to.
pub(super) fn all() -> impl Iterator<Item = (String, RefOr<Header>)> {
    ALL.into_iter().map(|it| {
        let schema = ObjectBuilder::new().schema_type(it.kind);
        let header =
            HeaderBuilder::new().schema(Some(schema)).description(Some(it.description)).example(Some((it.example)()));
        (it.component.to_owned(), RefOr::T(header.build()))
    })
}

/// Adds the headers that depend on the status, and documents those that an operation declares.
pub(super) fn complete(responses: &mut BTreeMap<String, RefOr<Response>>) {
    let has_tag =
        responses.values().any(|response| matches!(response, RefOr::T(it) if it.headers.contains_key("etag")));
    for (status, response) in responses {
        let RefOr::T(response) = response else { continue };
        if has_tag && status == "304" {
            add_header(response, "etag");
        }
        add_to(status, response);
    }
}

/// Adds the headers of one response.
pub(super) fn add_to(status: &str, response: &mut Response) {
    add_header(response, REQUEST_ID.as_str());
    if status.starts_with('2') || matches!(status, "304" | "429") {
        rate_limit::HEADERS.iter().for_each(|name| add_header(response, name.as_str()));
    }
    match status {
        "401" => add_header(response, "www-authenticate"),
        "429" | "503" => add_header(response, "retry-after"),
        _ => {}
    }
    for (name, header) in &mut response.headers {
        if let Some(described) = reference_to(name) {
            *header = described;
        }
    }
}

fn add_header(response: &mut Response, name: &str) {
    response.headers.extend(reference_to(name).map(|header| (name.to_owned(), header)));
}

fn reference_to(name: &str) -> Option<RefOr<Header>> {
    let it = ALL.iter().find(|it| it.name.eq_ignore_ascii_case(name))?;
    Some(RefOr::Ref(Ref::new(format!("#/components/headers/{}", it.component))))
}
