//! The management listener: health checks, metrics and log control. Its requests are never recorded.

use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, ServiceConfig};

use crate::health::{Health, live, ready};
use crate::log_control::LogControl;
use crate::metrics::{Metrics, metrics};

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
