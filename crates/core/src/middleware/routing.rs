//! Normalizes a request before routing: HEAD becomes GET without a response body, and a trailing slash is removed if allowed.

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest};
use actix_web::http::{Method, Uri};

use crate::settings::TrailingSlash;

/// Rewrites a request for routing. The request context retains the original.
pub(crate) fn normalize_request(request: &mut ServiceRequest, slash: TrailingSlash) {
    head_to_get(request);
    if slash == TrailingSlash::Ignore
        && let Some(uri) = without_slash(request)
    {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
}

/// actix's connection remembers that the request was HEAD, and omits the body.
fn head_to_get(request: &mut ServiceRequest) {
    if request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
}

/// `head_to_get` as middleware.
pub(crate) fn serve_head_as_get<S: Service<ServiceRequest, Error = Error>>(
    mut request: ServiceRequest,
    inner: &S,
) -> S::Future {
    head_to_get(&mut request);
    inner.call(request)
}

/// The URI without its trailing slash, if a route matches the path without it and none matches the path with it.
pub(crate) fn without_slash(request: &ServiceRequest) -> Option<Uri> {
    let path = request.path().strip_suffix('/')?;
    let routes = request.resource_map();
    if path.is_empty() || routes.has_resource(request.path()) || !routes.has_resource(path) {
        return None;
    }
    let uri = request.uri();
    let path = uri.path().strip_suffix('/')?;
    // `//host` and similar paths would refer to another host.
    let is_own = path.starts_with('/') && !path[1..].starts_with(['/', '\\']);
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    is_own.then(|| format!("{path}{query}").parse().ok()).flatten()
}
