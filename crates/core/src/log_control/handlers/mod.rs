//! The handlers, one a route.

pub(super) mod change;
pub(super) mod read;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderValue, RETRY_AFTER};
use actix_web::web::{self, ServiceConfig};
use cyanotype_telemetry::effective::Refused;

use crate::fleet::FleetError;
use crate::handler::problem::Problem;

pub(super) fn register(scope: &mut ServiceConfig) {
    scope
        .service(web::resource("").route(web::get().to(read::show)))
        .service(web::resource("/explain").route(web::get().to(read::explain)))
        .service(web::resource("/fleet").route(web::get().to(read::fleet)))
        .service(
            web::resource("/overrides/{id}").route(web::put().to(change::put)).route(web::delete().to(change::clear)),
        );
}

fn versioned(mut answer: actix_web::HttpResponseBuilder, version: u64) -> actix_web::HttpResponseBuilder {
    answer.insert_header((ETAG, format!("\"{version}\""))).insert_header((CACHE_CONTROL, "no-store"));
    answer
}

fn of_policy(refused: &Refused) -> Problem {
    match refused {
        Refused::VersionMismatch { .. } => Problem::new(StatusCode::PRECONDITION_FAILED, refused.to_string()),
        Refused::TooMany => Problem::conflict(refused.to_string()),
    }
}

fn of_fleet(error: FleetError) -> Problem {
    match error {
        FleetError::TooMany => of_policy(&Refused::TooMany),
        FleetError::Unavailable(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the fleet's overrides cannot be reached");
            let detail =
                "the database is away, so the fleet's overrides can neither be read nor changed; nothing has changed";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).header(RETRY_AFTER, HeaderValue::from_static("1"))
        }
    }
}
