//! The health checks: liveness and readiness of the process.

use actix_web::web::{self, Data};
use actix_web::{HttpResponse, Responder};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::blueprint::started::StartedBlueprints;
use crate::database::{Database, DatabaseError};
use crate::middleware::in_flight::InFlightRequests;

/// The state that health checks query.
#[derive(Clone)]
pub(crate) struct Health {
    pub database: Database,
    pub blueprints: StartedBlueprints,
    /// Reports whether the service is stopping.
    pub in_flight: InFlightRequests,
}

/// The result of a readiness check.
#[derive(Debug)]
pub(crate) enum Readiness {
    Stopping,
    NoDatabase(DatabaseError),
    /// Each blueprint, or why it is not ready.
    Blueprints(Vec<(&'static str, Result<(), String>)>),
}

impl Health {
    /// Checks whether the process is ready for requests.
    pub(crate) async fn check(&self) -> Readiness {
        if self.in_flight.is_stopping() {
            return Readiness::Stopping;
        }
        match self.database.ping().await {
            Ok(()) => Readiness::Blueprints(self.blueprints.ready().await),
            Err(error) => Readiness::NoDatabase(error),
        }
    }
}

impl Readiness {
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self, Self::Blueprints(all) if all.iter().all(|(_, result)| result.is_ok()))
    }

    /// Logs why the process is not ready.
    fn log(&self) {
        match self {
            Self::Stopping => {}
            Self::NoDatabase(error) => {
                tracing::warn!(error = error as &dyn std::error::Error, "the database does not respond");
            }
            Self::Blueprints(all) => {
                for (name, result) in all {
                    if let Err(why) = result {
                        tracing::warn!(why, "blueprint {name} is not ready");
                    }
                }
            }
        }
    }
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
    let readiness = health.check().await;
    readiness.log();
    let mut response = if readiness.is_ready() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    let status = match &readiness {
        Readiness::Stopping => "stopping",
        Readiness::NoDatabase(_) => "the database does not respond",
        Readiness::Blueprints(_) if readiness.is_ready() => "ready",
        Readiness::Blueprints(_) => "a blueprint is not ready",
    };
    let Readiness::Blueprints(all) = &readiness else { return response.json(json!({"status": status})) };
    let state = |result: &Result<(), String>| Value::from(if result.is_ok() { "ready" } else { "not ready" });
    let blueprints: Map<String, Value> = all.iter().map(|(name, it)| ((*name).to_owned(), state(it))).collect();
    response.json(json!({"status": status, "database": health.database.kind(), "blueprints": blueprints}))
}
