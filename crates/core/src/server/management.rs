//! The management listener: the health checks, and what is on now. Its requests are never recorded.

use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::blueprint::started::StartedBlueprints;
use crate::database::Database;
use crate::log_control::LogControl;
use crate::middleware::in_flight::InFlightRequests;

/// What the checks ask.
#[derive(Clone)]
pub(crate) struct Health {
    pub database: Database,
    pub blueprints: StartedBlueprints,
    /// They know whether the service stops.
    pub in_flight: InFlightRequests,
}

/// An answer of a health check.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described alone")]
struct Status {
    #[schema(example = "ready")]
    status: String,
    /// The kind of database; of `/health/ready` alone.
    #[schema(nullable = false, example = "sqlite")]
    database: Option<String>,
    /// Whether each blueprint is ready; of `/health/ready` alone.
    #[schema(nullable = false)]
    blueprints: Option<Map<String, Value>>,
}

/// What the listener answers with.
#[derive(Clone)]
pub(crate) struct Management {
    pub health: Health,
    pub log_control: LogControl,
    /// The listener's API document, in JSON.
    pub document: Bytes,
}

pub(crate) fn routes(management: Management) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let Management { health, log_control, document } = management;
        config.app_data(Data::new(health));
        config.route("/health/live", web::get().to(live)).route("/health/ready", web::get().to(ready));
        config.route("/openapi.json", web::get().to(move || api_document(document.clone())));
        log_control.mount(config);
    }
}

async fn api_document(json: Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(json)
}

/// Whether the process runs.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "live",
    tag = "health",
    security(()),
    responses((status = 200, description = "It runs", body = Status))
)]
pub(crate) async fn live() -> impl Responder {
    web::Json(json!({"status": "live"}))
}

/// Whether the process can answer requests.
///
/// It is not stopping, the database answers, and each blueprint says that it can.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "ready",
    tag = "health",
    security(()),
    responses(
        (status = 200, description = "It can", body = Status),
        (status = 503, description = "It cannot, or not yet, or not any more", body = Status),
    )
)]
pub(crate) async fn ready(health: Data<Health>) -> HttpResponse {
    if health.in_flight.is_stopping() {
        return HttpResponse::ServiceUnavailable().json(json!({"status": "stopping"}));
    }
    if let Err(error) = health.database.ping().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the database does not answer");
        return HttpResponse::ServiceUnavailable().json(json!({"status": "the database does not answer"}));
    }
    let answers = health.blueprints.ready().await;
    let shown = |answer: &Result<(), String>| Value::from(if answer.is_ok() { "ready" } else { "not ready" });
    let blueprints: Map<String, Value> = answers.iter().map(|(name, it)| ((*name).to_owned(), shown(it))).collect();
    let mut all_ready = true;
    for (name, answer) in &answers {
        if let Err(why) = answer {
            all_ready = false;
            tracing::warn!(why, "the blueprint {name} is not ready");
        }
    }
    let status = if all_ready { "ready" } else { "a blueprint is not ready" };
    let mut answer = if all_ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(json!({"status": status, "database": health.database.kind(), "blueprints": blueprints}))
}
