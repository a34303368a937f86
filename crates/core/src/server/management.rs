//! The health checks, on a listener of their own; never recorded.

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde_json::{Map, Value, json};

use crate::blueprint::started::StartedBlueprints;
use crate::database::Database;
use crate::middleware::in_flight::InFlight;

/// What the checks ask.
#[derive(Clone)]
pub(crate) struct Health {
    pub database: Database,
    pub blueprints: StartedBlueprints,
    /// They know whether the service stops.
    pub in_flight: InFlight,
}

pub(crate) fn routes(health: Health) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config.app_data(Data::new(health));
        config.route("/health/live", web::get().to(live)).route("/health/ready", web::get().to(ready));
    }
}

/// Whether the process runs.
async fn live() -> impl Responder {
    web::Json(json!({"status": "live"}))
}

/// Whether it can answer requests: it is not stopping, the database answers, and each blueprint says that it can.
async fn ready(health: Data<Health>) -> HttpResponse {
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
