//! Metrics for Prometheus, on the management listener.

mod catalog;
mod collector;
mod exemplars;
mod format;
mod process;

use std::sync::Arc;

use actix_web::http::header::{CONTENT_TYPE, VARY};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cyanotype_actix::{BlockError, block};
use cyanotype_telemetry::Pipeline;
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

use crate::database::Database;
use crate::middleware::in_flight::InFlightRequests;
use collector::Sources;
use exemplars::Exemplars;
use format::Format;

/// The metrics of the process.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    requests: InFlightRequests,
}

impl Metrics {
    /// `program` is the program's name and version.
    pub(crate) fn new(
        pipeline: &'static Pipeline,
        database: Database,
        requests: InFlightRequests,
        program: [&'static str; 2],
    ) -> Self {
        let mut registry = Registry::default();
        let sources = Sources { pipeline, database, requests: requests.clone(), program };
        registry.register_collector(Box::new(sources));
        Self { registry: Arc::new(registry), requests }
    }

    fn encode(&self, format: Format) -> String {
        let exemplars = Exemplars::of(self.requests.metrics());
        let mut encoded = String::new();
        let done = match format {
            Format::OpenMetrics => text::encode(&mut encoded, &self.registry),
            Format::Classic => prometheus_text::encode(&mut encoded, &self.registry),
        };
        done.expect("a string takes any text, and no metric has buckets of another kind than its type");
        match format {
            Format::OpenMetrics => exemplars.add_to(&encoded),
            Format::Classic => encoded,
        }
    }
}

/// Metrics for Prometheus
///
/// OpenMetrics, or Prometheus' text format 0.0.4 where `accept` prefers `text/plain`. docs/METRICS.md lists the metrics.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "metrics",
    security(()),
    responses((status = 200, description = "The metrics", content(
        (String = "application/openmetrics-text"),
        (String = "text/plain"),
    )))
)]
pub(crate) async fn metrics(metrics: Data<Metrics>, request: HttpRequest) -> Result<HttpResponse, BlockError> {
    let format = Format::of(&request);
    // The size of the spool is read from disk, which must not delay health checks.
    let encoded = block(move || metrics.encode(format)).await?;
    let headers = [(CONTENT_TYPE, format.content_type()), (VARY, "accept")];
    let mut response = HttpResponse::Ok();
    headers.into_iter().for_each(|header| _ = response.insert_header(header));
    Ok(response.body(encoded))
}
