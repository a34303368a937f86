//! Checks before routing: invalid upgrades, unacceptable encodings, and redirects of trailing slashes.

use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION, UPGRADE, VARY};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::{Error, HttpResponse, ResponseError};
use futures_util::future::{Either, ready};

use super::compression;
use crate::handler::problem::Problem;
use crate::middleware::routing::without_slash;
use crate::settings::{ServerSettings, TrailingSlash};

/// The checks that are enabled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    redirects: bool,
    compression: bool,
}

impl Gate {
    pub(crate) fn new(server: &ServerSettings) -> Self {
        Self { redirects: server.trailing_slash == TrailingSlash::Redirect, compression: server.compression }
    }

    pub(crate) fn pass<S>(
        self,
        request: ServiceRequest,
        inner: &S,
    ) -> impl Future<Output = Result<ServiceResponse, Error>> + use<S>
    where
        S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
    {
        match self.response(&request) {
            None => Either::Left(inner.call(request)),
            Some(response) => Either::Right(ready(Ok(request.into_response(response)))),
        }
    }

    fn response(self, request: &ServiceRequest) -> Option<HttpResponse> {
        if has_invalid_upgrade(request.method(), request.headers()) {
            let detail =
                "send a complete WebSocket handshake (GET, `connection: upgrade`, no body) or no `upgrade` header";
            let mut refusal = Problem::bad_request(detail).error_response();
            refusal.head_mut().set_connection_type(ConnectionType::Close);
            return Some(refusal);
        }
        if self.compression && compression::accepts_no_coding(request) {
            let detail = "`accept-encoding` excludes every supported coding: br, gzip, deflate, zstd and identity";
            let refusal = Problem::new(StatusCode::NOT_ACCEPTABLE, detail);
            return Some(refusal.header(VARY, HeaderValue::from_static("accept-encoding")).error_response());
        }
        if self.redirects && request.path().ends_with('/') {
            let location = without_slash(request)?.to_string();
            return Some(HttpResponse::PermanentRedirect().insert_header((LOCATION, location)).finish());
        }
        None
    }
}

/// Whether this is an incomplete WebSocket handshake. actix's decoder acts on `upgrade: websocket` even without the rest of the
/// handshake: it reads everything that follows on the connection as this request's body. A proxy that reads the connection
/// differently could be used to smuggle a request.
fn has_invalid_upgrade(method: &Method, headers: &HeaderMap) -> bool {
    let mut upgrades = headers.get_all(UPGRADE);
    let is_websocket = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket");
    if !upgrades.any(is_websocket) {
        return false;
    }
    let options = headers.get_all(CONNECTION).flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let has_option = options.into_iter().any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
    let has_body = headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes().trim_ascii() != b"0");
    !has_option || has_body || *method != Method::GET
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn is_invalid(method: &Method, sent: &[(&str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            let name: HeaderName = name.parse().expect("a name");
            headers.append(name, value.parse().expect("a value"));
        }
        has_invalid_upgrade(method, &headers)
    }

    #[test]
    fn an_incomplete_websocket_handshake_is_refused() {
        let upgrade = ("upgrade", "WebSocket");
        assert!(!is_invalid(&Method::GET, &[]));
        assert!(!is_invalid(&Method::POST, &[("upgrade", "h2c"), ("connection", "upgrade")]));
        assert!(!is_invalid(&Method::GET, &[upgrade, ("connection", "keep-alive, Upgrade")]));
        assert!(!is_invalid(&Method::GET, &[upgrade, ("connection", "keep-alive"), ("connection", "upgrade")]));
        assert!(is_invalid(&Method::GET, &[upgrade]));
        assert!(is_invalid(&Method::GET, &[("upgrade", "h2c"), ("upgrade", " websocket ")]));
        assert!(is_invalid(&Method::GET, &[upgrade, ("connection", "keep-alive")]));
        assert!(is_invalid(&Method::POST, &[upgrade, ("connection", "upgrade")]));
        assert!(is_invalid(&Method::GET, &[upgrade, ("connection", "upgrade"), ("content-length", "5")]));
    }
}
