//! The management listener: health checks, metrics and log control. Its requests are never recorded.

use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::blueprint::started::StartedBlueprints;
use crate::database::Database;
use crate::log_control::LogControl;
use crate::metrics::{Metrics, metrics};
use crate::middleware::in_flight::InFlightRequests;

/// The state that health checks query.
#[derive(Clone)]
pub(crate) struct Health {
    pub database: Database,
    pub blueprints: StartedBlueprints,
    /// Reports whether the service is stopping.
    pub in_flight: InFlightRequests,
}

/// Response of a health check.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the schema only")]
struct Status {
    #[schema(example = "ready")]
    status: String,
    /// The kind of database; only in `/health/ready`.
    #[schema(nullable = false, example = "sqlite")]
    database: Option<String>,
    /// Readiness of each blueprint; only in `/health/ready`.
    #[schema(nullable = false)]
    blueprints: Option<Map<String, Value>>,
}

/// The state of the listener.
#[derive(Clone)]
pub(crate) struct Management {
    pub health: Health,
    pub metrics: Metrics,
    pub log_control: LogControl,
    /// The OpenAPI document of the listener, as JSON.
    pub document: Bytes,
}

pub(crate) fn routes(management: Management) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let Management { health, metrics: state, log_control, document } = management;
        config.app_data(Data::new(health)).app_data(Data::new(state));
        config.route("/health/live", web::get().to(live)).route("/health/ready", web::get().to(ready));
        config.route("/metrics", web::get().to(metrics));
        config.route("/openapi.json", web::get().to(move || api_document(document.clone())));
        log_control.mount(config);
    }
}

async fn api_document(json: Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(json)
}

/// Check that the process is running
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "live",
    tag = "health",
    security(()),
    responses((status = 200, description = "The process is running", body = Status))
)]
pub(crate) async fn live() -> impl Responder {
    web::Json(json!({"status": "live"}))
}

/// Check that the process is ready for requests
///
/// The process is ready when it is not stopping, the database responds, and each blueprint reports that it is ready.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "ready",
    tag = "health",
    security(()),
    responses(
        (status = 200, description = "Ready", body = Status),
        (status = 503, description = "Stopping, or the database or a blueprint is not ready", body = Status),
    )
)]
pub(crate) async fn ready(health: Data<Health>) -> HttpResponse {
    if health.in_flight.is_stopping() {
        return HttpResponse::ServiceUnavailable().json(json!({"status": "stopping"}));
    }
    if let Err(error) = health.database.ping().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the database does not respond");
        return HttpResponse::ServiceUnavailable().json(json!({"status": "the database does not respond"}));
    }
    let results = health.blueprints.ready().await;
    let status_of = |result: &Result<(), String>| Value::from(if result.is_ok() { "ready" } else { "not ready" });
    let blueprints: Map<String, Value> =
        results.iter().map(|(name, result)| ((*name).to_owned(), status_of(result))).collect();
    let mut all_ready = true;
    for (name, result) in &results {
        if let Err(why) = result {
            all_ready = false;
            tracing::warn!(why, "blueprint {name} is not ready");
        }
    }
    let status = if all_ready { "ready" } else { "a blueprint is not ready" };
    let mut response = if all_ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(json!({"status": status, "database": health.database.kind(), "blueprints": blueprints}))
}
