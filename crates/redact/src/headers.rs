//! The allow-list of request headers.

/// All other headers are omitted.
const ALLOWED: [&str; 20] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "range",
    "te",
    "traceparent",
    "transfer-encoding",
    "user-agent",
    "x-request-id",
];

/// Whether a request header of this name, in any case, may be recorded. Its value must still be redacted with
/// [`Redactor::header`](crate::Redactor::header).
pub fn is_header_allowed(name: &str) -> bool {
    ALLOWED.iter().any(|allowed| name.eq_ignore_ascii_case(allowed))
}
