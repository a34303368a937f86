//! The context of an incoming request.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HOST, HeaderMap, HeaderValue, USER_AGENT};
use cyanotype_redact::{Redactor, is_opaque_id};
use cyanotype_telemetry::Pipeline;
use cyanotype_telemetry::effective::Snapshot;
use cyanotype_telemetry::request::{
    CallerTrace, DEBUG_LOG_HEADER, REQUEST_ID, RequestContext, RequestIdentity, RequestParts,
};

use crate::client_address::ClientAddressResolver;

/// Creates the context of an incoming request: the caller's request id and trace id, if sent, and the request parts for records and
/// events.
#[must_use]
pub fn request_context(
    pipeline: &Pipeline,
    address_resolver: &ClientAddressResolver,
    request: &ServiceRequest,
) -> RequestContext {
    let headers = request.headers();
    let id = incoming_id(headers, &pipeline.redactor);
    let parts = |snapshot: &Snapshot| parts(snapshot, address_resolver, request);
    let context = pipeline.begin_request_with(id, CallerTrace::from_headers(|name| headers.get_all(name)), parts);
    if pipeline.accepts_debug_tokens() {
        pipeline.read_debug_tokens(&context, headers.get_all(DEBUG_LOG_HEADER).map(HeaderValue::as_bytes));
    }
    context
}

/// Headers share their bytes with the request, and are not read until a record or an event needs them.
fn parts(snapshot: &Snapshot, address_resolver: &ClientAddressResolver, request: &ServiceRequest) -> RequestParts {
    let headers = request.headers();
    let mut parts = RequestParts {
        method: request.method().clone(),
        uri: request.uri().clone(),
        client: address_resolver.resolve(request.peer_addr(), headers).map(|client| client.ip()),
        client_address_header: address_resolver.header,
        headers: Vec::new(),
        origin: None,
    };
    if !snapshot.may_record_requests() {
        return parts;
    }
    if !snapshot.event_sinks_active_for_requests() {
        parts.headers = headers.get_all(USER_AGENT).map(|value| (USER_AGENT, value.clone())).collect();
        return parts;
    }
    parts.headers.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    parts.origin = origin(request, address_resolver, headers);
    parts
}

fn origin(request: &ServiceRequest, address_resolver: &ClientAddressResolver, headers: &HeaderMap) -> Option<String> {
    let [scheme, host] = address_resolver.origin(request.peer_addr(), headers);
    if scheme.is_none() && host.is_none() && headers.contains_key(HOST) {
        return None;
    }
    // An outer middleware has made it follow the same trust rules.
    let connection = request.connection_info();
    Some(format!("{}://{}", connection.scheme(), connection.host()))
}

/// The caller's request id, if it is valid: a single header with 1 to 128 letters, digits and `._:/+=@-`, which is a
/// usual identifier or which the redactor does not change.
fn incoming_id<'a>(headers: &'a HeaderMap, redactor: &Redactor) -> Option<&'a str> {
    let mut ids = headers.get_all(REQUEST_ID);
    let id = ids.next()?.to_str().ok().filter(|_| ids.next().is_none())?;
    let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/+=@-".contains(&byte));
    let has_length = (1..=RequestIdentity::MAX_ID_BYTES).contains(&id.len());
    (is_plain && has_length && (is_opaque_id(id) || redactor.header(id) == id)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderName;
    use cyanotype_redact::OwnPattern;

    fn id(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(REQUEST_ID, HeaderValue::from_str(value).expect("a header"));
        }
        incoming_id(&headers, &Redactor::default()).map(str::to_owned)
    }

    #[test]
    fn a_valid_request_id_of_the_caller_is_used() {
        for good in ["7", "01a2051a-5ac3-7163-ae5e-95c0b385f426", "web.1:a/b+c=d@e_f", &"x".repeat(128)] {
            assert_eq!(id(&[good]).as_deref(), Some(good));
        }
        let redactor = Redactor::default().with_own_patterns(vec![OwnPattern::new("[0-9a-f]{8}").expect("a pattern")]);
        for opaque in
            ["41111111-1111-4111-8111-111111111111", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "4bf92f3577b34da6a3ce929d0e0e4736"]
        {
            let headers = HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(opaque))]);
            assert_eq!(incoming_id(&headers, &redactor), Some(opaque), "whatever the patterns are");
        }
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln";
        for bad in
            ["", "a b", "a\tb", "\u{e4}", "<1>", &"x".repeat(129), jwt, "bearer:abc", "4111-1111-1111-1111", "token=x"]
        {
            assert_eq!(id(&[bad]), None, "{bad}");
        }
        assert_eq!(id(&["one", "two"]), None);
    }

    #[test]
    fn another_process_continues_the_id_and_the_trace() {
        let pipeline = crate::test_support::Fixture::new(&[]).pipeline;
        let context = |headers: &HeaderMap| {
            let id = incoming_id(headers, &pipeline.redactor);
            let trace = CallerTrace::from_headers(|name| headers.get_all(name));
            pipeline.begin_request(id, trace, RequestParts::default())
        };
        let here = context(&HeaderMap::new());
        let mut headers = HeaderMap::new();
        for (name, value) in here.outgoing_headers() {
            headers.insert(HeaderName::from_static(name), value.parse().expect("it is a header's value"));
        }
        let there = context(&headers);
        let of = |context: &RequestContext| (context.identity().id().to_owned(), context.identity().trace_id());
        assert_eq!(of(&there), of(&here));
        headers.remove("traceparent");
        assert_eq!(of(&context(&headers)), of(&here));
    }
}
