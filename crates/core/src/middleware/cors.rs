//! Which pages of other origins may call the API, and what of an answer their scripts may read.

use actix_cors::Cors;
use actix_web::http::Method;
use actix_web::http::header::{ETAG, HeaderName, LINK, LOCATION, RETRY_AFTER};
use cyanotype_telemetry::request::REQUEST_ID;

use super::rate_limit;
use crate::handler::idempotency::IDEMPOTENCY_REPLAYED;
use crate::settings;

/// The layer for these settings; `None` when no origin may.
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
    // A page of another origin is the browser's to refuse; to everybody else the origin means nothing.
    let layer = layer.block_on_origin_mismatch(false);
    Some(if cors.credentials { layer.supports_credentials() } else { layer })
}

fn exposed() -> impl Iterator<Item = HeaderName> {
    [REQUEST_ID, ETAG, LINK, LOCATION, RETRY_AFTER, IDEMPOTENCY_REPLAYED].into_iter().chain(rate_limit::HEADERS)
}
