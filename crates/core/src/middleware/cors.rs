//! CORS: which origins may call the API, and which response headers their scripts may read.

use actix_cors::Cors;
use actix_web::http::Method;
use actix_web::http::header::{ETAG, HeaderName, LINK, LOCATION, RETRY_AFTER};
use cyanotype_telemetry::request::REQUEST_ID;

use super::rate_limit;
use crate::handler::idempotency::IDEMPOTENCY_REPLAYED;
use crate::settings;

/// The middleware for these settings; `None` when no origin is allowed.
pub(crate) fn layer(cors: &settings::CorsSettings) -> Option<Cors> {
    const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    if cors.origins.is_empty() {
        return None;
    }
    let layer = Cors::default().allowed_methods(METHODS).allow_any_header().expose_headers(exposed());
    let layer = layer.max_age(usize::try_from(cors.max_age_s).unwrap_or(usize::MAX));
    let layer = cors.origins.iter().fold(layer, |layer, origin| match origin.as_str() {
        "*" => layer.allow_any_origin().send_wildcard(),
        origin => layer.allowed_origin(origin),
    });
    // The browser blocks scripts of other origins; for other clients the origin has no meaning.
    let layer = layer.block_on_origin_mismatch(false);
    Some(if cors.credentials { layer.supports_credentials() } else { layer })
}

fn exposed() -> impl Iterator<Item = HeaderName> {
    [REQUEST_ID, ETAG, LINK, LOCATION, RETRY_AFTER, IDEMPOTENCY_REPLAYED].into_iter().chain(rate_limit::HEADERS)
}
