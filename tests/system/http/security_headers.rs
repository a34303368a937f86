//! Security headers on every response.

use super::responses_of_every_kind;
use crate::support::probe;

const SECURITY: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cache-control", "no-store"),
];

#[test]
fn every_response_has_security_headers() {
    let service = probe().start();
    for reply in responses_of_every_kind(&service, ("accept", "*/*")) {
        for (name, value) in SECURITY {
            assert_eq!(reply.header(name), Some(value), "{}", reply.text());
        }
        assert_eq!(reply.header("strict-transport-security"), None);
    }
}

#[test]
fn hsts_is_sent_when_configured() {
    let service = probe().env("APP__SERVER__HSTS_MAX_AGE_S", "31536000").start();
    for reply in responses_of_every_kind(&service, ("accept", "*/*")) {
        assert_eq!(reply.header("strict-transport-security"), Some("max-age=31536000"));
    }
}

#[test]
fn one_setting_disables_all_security_headers() {
    let service = probe().env("APP__SERVER__SECURITY_HEADERS", "false").env("APP__SERVER__HSTS_MAX_AGE_S", "9").start();
    for reply in responses_of_every_kind(&service, ("accept", "*/*")) {
        for (name, _) in SECURITY.into_iter().chain([("strict-transport-security", "")]) {
            assert_eq!(reply.header(name), None);
        }
        assert!(reply.header("x-request-id").is_some());
    }
}
