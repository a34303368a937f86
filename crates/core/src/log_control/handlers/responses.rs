//! Shared parts of responses.

use actix_web::HttpResponseBuilder;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderValue, RETRY_AFTER};
use cyanotype_telemetry::effective::OverrideError;

use crate::fleet::FleetError;
use crate::handler::problem::Problem;

pub(super) fn versioned(mut response: HttpResponseBuilder, version: u64) -> HttpResponseBuilder {
    response.insert_header((ETAG, format!("\"{version}\""))).insert_header((CACHE_CONTROL, "no-store"));
    response
}

pub(super) fn policy_problem(refused: &OverrideError) -> Problem {
    match refused {
        OverrideError::VersionMismatch { .. } => Problem::new(StatusCode::PRECONDITION_FAILED, refused.to_string()),
        OverrideError::TooMany => Problem::conflict(refused.to_string()),
    }
}

pub(super) fn fleet_problem(error: FleetError) -> Problem {
    match error {
        FleetError::TooMany => policy_problem(&OverrideError::TooMany),
        FleetError::Unavailable(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "fleet overrides unavailable");
            let detail =
                "the database is unavailable, so fleet overrides can be neither read nor changed; nothing has changed";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).header(RETRY_AFTER, HeaderValue::from_static("1"))
        }
    }
}
