use actix_web::dev::ServiceRequest;

/// The pattern of the route that the router selects, by the decoded path. actix's own lookup for middleware uses the path as
/// sent, so `/users/%6Cogin` would not match the route that responds.
#[must_use]
pub fn route(request: &ServiceRequest) -> Option<String> {
    request.resource_map().match_pattern(request.match_info().as_str())
}
