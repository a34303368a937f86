//! CORS: pages of the configured origins may call the API; without origins there are no CORS headers.

use std::collections::BTreeSet;

use serde_json::json;
use system_tests::http::{Reply, Request};
use system_tests::service::{Running, Service};

use super::responses_of_every_kind;
use crate::support::{of_kind, probe};

const SHOP: &str = "https://shop.example";

fn open_to(origins: &str) -> Service {
    probe().env("APP__SERVER__CORS__ORIGINS", origins)
}

fn preflight(service: &Running, origin: &str) -> Request {
    let request = service.request("OPTIONS", "/probe/run").header("origin", origin);
    request
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization, idempotency-key")
}

fn words(reply: &Reply, header: &str) -> BTreeSet<String> {
    let value = reply.header(header).unwrap_or_else(|| panic!("no {header} in {:?}", reply.headers));
    value.split(',').map(|word| word.trim().to_ascii_lowercase()).collect()
}

fn has_none(reply: &Reply) -> bool {
    !reply.headers.iter().any(|(name, _)| name.starts_with("access-control"))
}

#[test]
fn no_cors_headers_without_configured_origins() {
    let service = probe().start();
    for reply in responses_of_every_kind(&service, ("origin", SHOP)) {
        assert!(has_none(&reply), "{:?}", reply.headers);
    }
    let reply = preflight(&service, SHOP).send();
    assert!(reply.status == 204 && has_none(&reply), "{:?}", reply.headers);
}

#[test]
fn every_response_allows_the_configured_origin() {
    let service = open_to("https://admin.example, https://shop.example").start();
    for reply in responses_of_every_kind(&service, ("origin", SHOP)) {
        assert_eq!(reply.header("access-control-allow-origin"), Some(SHOP), "{}", reply.text());
        assert_eq!(reply.header("access-control-allow-credentials"), None);
        let exposed = words(&reply, "access-control-expose-headers");
        for name in
            ["x-request-id", "etag", "link", "location", "retry-after", "ratelimit-limit", "ratelimit-remaining"]
        {
            assert!(exposed.contains(name), "{exposed:?}");
        }
        assert!(words(&reply, "vary").contains("origin"), "{:?}", reply.headers);
    }
}

#[test]
fn preflights_are_answered_and_logged() {
    let service = open_to(SHOP).env("APP__SERVER__CORS__MAX_AGE_S", "77").start();
    let reply = preflight(&service, SHOP).send();
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("access-control-allow-origin"), Some(SHOP));
    assert_eq!(reply.header("access-control-max-age"), Some("77"));
    assert!(words(&reply, "access-control-allow-headers").contains("idempotency-key"));
    let methods = ["get", "head", "post", "put", "patch", "delete"].map(str::to_owned);
    assert_eq!(words(&reply, "access-control-allow-methods"), BTreeSet::from(methods));
    assert!(reply.header("x-request-id").is_some() && reply.header("x-content-type-options").is_some());
    let records = service.stop().records();
    let responses = of_kind(&records, "response");
    assert_eq!(responses.len(), 1);
    assert_eq!(
        (&responses[0]["http.request.method"], &responses[0]["http.response.status_code"]),
        (&json!("OPTIONS"), &json!(200))
    );
}

#[test]
fn other_origins_get_no_cors_headers() {
    let service = open_to(SHOP).start();
    let reply = service.get("/nowhere").header("origin", "https://evil.example").send();
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (404, None));
    let reply = preflight(&service, "https://evil.example").send();
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (400, None));
    // Clients other than browsers are not affected.
    assert_eq!(service.get("/nowhere").send().header("access-control-allow-origin"), None);
}

#[test]
fn any_origin_is_a_wildcard_without_credentials() {
    let service = open_to("*").start();
    let reply = service.get("/nowhere").header("origin", SHOP).send();
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert_eq!(reply.header("access-control-allow-credentials"), None);

    let refused = open_to("*").env("APP__SERVER__CORS__CREDENTIALS", "true").run();
    assert_eq!(refused.code(), Some(78));
    assert!(refused.stderr.contains("server.cors.credentials"), "{}", refused.stderr);
    assert!(refused.stderr.contains("list the origins"), "{}", refused.stderr);
}

#[test]
fn credentials_require_listed_origins() {
    let service = open_to(SHOP).env("APP__SERVER__CORS__CREDENTIALS", "true").start();
    for reply in [preflight(&service, SHOP).send(), service.get("/nowhere").header("origin", SHOP).send()] {
        assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(reply.header("access-control-allow-origin"), Some(SHOP));
    }
}

#[test]
fn rate_limited_responses_have_cors_headers() {
    let service = open_to(SHOP).env("APP__SERVER__RATE_LIMIT__REQUESTS", "1").start();
    let get = || service.get("/nowhere").header("origin", SHOP).send();
    assert_eq!(get().status, 404);
    let reply = get();
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (429, Some(SHOP)));
    assert_eq!(preflight(&service, SHOP).send().status, 429, "a preflight is counted");
}
