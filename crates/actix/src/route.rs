use actix_web::dev::ServiceRequest;

/// The pattern that the path fits as the router reads it, percent-encoding undone: actix's own look-up for a layer goes by the
/// path as it was sent, so `/users/%6Cogin` would be another route than the one that responds.
#[must_use]
pub fn route(request: &ServiceRequest) -> Option<String> {
    request.resource_map().match_pattern(request.match_info().as_str())
}
