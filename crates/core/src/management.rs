//! The health checks, on a listener of their own; never recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde_json::json;

use crate::database::Database;

/// What the checks ask.
#[derive(Clone)]
pub(crate) struct Health {
    pub database: Database,
    /// Set once the service stops taking requests.
    pub stopping: Arc<AtomicBool>,
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

/// Whether it can answer requests: it is not stopping, and the database answers.
async fn ready(health: Data<Health>) -> HttpResponse {
    if health.stopping.load(Ordering::Relaxed) {
        return HttpResponse::ServiceUnavailable().json(json!({"status": "stopping"}));
    }
    match health.database.ping().await {
        Ok(()) => HttpResponse::Ok().json(json!({"status": "ready", "database": health.database.kind()})),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the database does not answer");
            HttpResponse::ServiceUnavailable().json(json!({"status": "the database does not answer"}))
        }
    }
}
