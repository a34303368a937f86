//! Headers of every response: the request id and the security headers.

use std::sync::Arc;

use actix_web::Error;
use actix_web::dev::{ResponseHead, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use cyanotype_telemetry::request::{REQUEST_ID, RequestContext};

use crate::settings::ServerSettings;

/// Default headers of every response; a header set by the handler takes precedence.
#[derive(Debug, Clone)]
pub(crate) struct DefaultHeaders(Arc<[(HeaderName, HeaderValue)]>);

impl DefaultHeaders {
    pub(crate) fn new(server: &ServerSettings) -> Self {
        let mut headers = Vec::new();
        if server.security_headers {
            headers.extend([
                (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
                (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
                (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
                (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ]);
            if server.hsts_max_age_s > 0 {
                let hsts = HeaderValue::from_str(&format!("max-age={}", server.hsts_max_age_s));
                headers.push((STRICT_TRANSPORT_SECURITY, hsts.expect("ASCII text is a valid header value")));
            }
        }
        Self(headers.into())
    }

    /// Adds the default headers and the request id to a response.
    pub(crate) fn apply<B>(
        self,
        response: Result<ServiceResponse<B>, Error>,
        request: &Arc<RequestContext>,
    ) -> Result<ServiceResponse<B>, Error> {
        match response {
            Ok(mut response) => {
                self.add(response.headers_mut(), request);
                Ok(response)
            }
            failed => {
                let request = Arc::clone(request);
                with_headers(failed, move |headers| self.add(headers, &request))
            }
        }
    }

    fn add(&self, headers: &mut HeaderMap, request: &RequestContext) {
        self.insert(headers);
        if let Ok(id) = HeaderValue::from_str(request.identity().id()) {
            headers.insert(REQUEST_ID, id);
        }
        if request.depends_on_caller() {
            // A cache must not serve one caller's response to another.
            headers.append(VARY, HeaderValue::from_static("authorization"));
        }
    }

    fn insert(&self, headers: &mut HeaderMap) {
        // Most responses have only one or two headers: iterating over them is cheaper than one lookup for each default header.
        let mut own = 0_u32;
        for key in headers.keys() {
            let position = self.0.iter().position(|(name, _)| name == key);
            own |= position.map_or(0, |at| 1 << at);
        }
        for (at, (name, value)) in self.0.iter().enumerate() {
            if own & 1 << at == 0 {
                headers.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Changes the headers of a response, or of the error that will become one.
pub(crate) fn with_headers<B>(
    response: Result<ServiceResponse<B>, Error>,
    change: impl Fn(&mut HeaderMap) + 'static,
) -> Result<ServiceResponse<B>, Error> {
    with_head(response, move |head| change(head.headers_mut()))
}

/// Changes the complete head of a response, or of the error that will become one.
pub(crate) fn with_head<B>(
    response: Result<ServiceResponse<B>, Error>,
    change: impl Fn(&mut ResponseHead) + 'static,
) -> Result<ServiceResponse<B>, Error> {
    match response {
        Ok(mut response) => {
            change(response.response_mut().head_mut());
            Ok(response)
        }
        Err(mut error) => {
            error.add_response_mapper(move |mut response| {
                change(response.head_mut());
                response
            });
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Loader;

    fn applied(variables: &[(&str, &str)], own: Option<(HeaderName, &'static str)>) -> Vec<String> {
        let settings = Loader::new("/nonexistent").variables(variables.iter().copied()).load().expect("valid settings");
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = own {
            headers.insert(name, HeaderValue::from_static(value));
        }
        DefaultHeaders::new(&settings.server).insert(&mut headers);
        let mut all: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("is plain"))).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_handlers_own_header_takes_precedence() {
        let usual = applied(&[], None);
        assert_eq!(
            usual,
            [
                "cache-control: no-store",
                "content-security-policy: default-src 'none'; frame-ancestors 'none'",
                "referrer-policy: no-referrer",
                "x-content-type-options: nosniff",
                "x-frame-options: DENY",
            ]
        );
        let own = applied(&[], Some((CONTENT_SECURITY_POLICY, "default-src 'self'")));
        assert_eq!((own.len(), own[1].as_str()), (5, "content-security-policy: default-src 'self'"));
    }

    #[test]
    fn hsts_is_optional_and_all_defaults_can_be_disabled() {
        let hsts = ("APP__SERVER__HSTS_MAX_AGE_S", "60");
        assert!(applied(&[hsts], None).contains(&"strict-transport-security: max-age=60".to_owned()));
        assert_eq!(applied(&[hsts, ("APP__SERVER__SECURITY_HEADERS", "false")], None), [""; 0]);
    }

    #[test]
    fn an_error_gets_the_headers_too() {
        let error = Err::<ServiceResponse, _>(actix_web::error::ErrorBadGateway("no"));
        let error =
            with_headers(error, |headers| headers.insert(REQUEST_ID, HeaderValue::from_static("7")).for_each(drop));
        let response = error.expect_err("is still an error").error_response();
        assert_eq!(response.headers().get(REQUEST_ID), Some(&HeaderValue::from_static("7")));
    }
}
