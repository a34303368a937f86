//! Metrics for Prometheus, on the management listener.

mod catalog;
mod collector;
mod exemplars;
mod format;
mod process;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, VARY};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cyanotype_actix::block;
use cyanotype_telemetry::Pipeline;
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::database::Database;
use crate::health::Health;
use crate::middleware::in_flight::InFlightRequests;
use collector::Sources;
use exemplars::Exemplars;
use format::Format;

/// Maximum time to read the metrics; Prometheus gives up after ten seconds.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The metrics of the process.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    requests: InFlightRequests,
    /// What the collector shows for this reading.
    is_ready: Arc<AtomicBool>,
    /// One request reads at a time: with a spool on a disk that hangs, each would block a thread.
    reading: Arc<Mutex<()>>,
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
        let is_ready = Arc::default();
        let sources =
            Sources { pipeline, database, requests: requests.clone(), is_ready: Arc::clone(&is_ready), program };
        registry.register_collector(Box::new(sources));
        Self { registry: Arc::new(registry), requests, is_ready, reading: Arc::default() }
    }

    /// The encoded metrics; `None` if they cannot be read. `is_ready` is the result of a readiness check.
    async fn read(self: Arc<Self>, format: Format, is_ready: bool) -> Option<String> {
        let reading = Arc::clone(&self.reading).lock_owned().await;
        self.is_ready.store(is_ready, Ordering::Relaxed);
        // The size of the spool is read from disk, which must not delay health checks.
        let encoded = block(move || {
            let encoded = self.encode(format);
            drop(reading);
            encoded
        });
        encoded.await.ok()
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
    responses(
        (status = 200, description = "The metrics", content(
            (String = "application/openmetrics-text"),
            (String = "text/plain"),
        )),
        (status = 503, description = "They cannot be read within 5 s: the disk of `sentry.spool_dir` hangs"),
    )
)]
pub(crate) async fn metrics(metrics: Data<Metrics>, health: Data<Health>, request: HttpRequest) -> HttpResponse {
    let format = Format::of(&request);
    let is_ready = health.check().await.is_ready();
    let Ok(Some(encoded)) = timeout(READ_TIMEOUT, metrics.into_inner().read(format, is_ready)).await else {
        return HttpResponse::ServiceUnavailable()
            .body("the metrics cannot be read: does the disk of sentry.spool_dir hang?\n");
    };
    let headers = [(CONTENT_TYPE, format.content_type()), (VARY, "accept")];
    let mut response = HttpResponse::Ok();
    headers.into_iter().for_each(|header| _ = response.insert_header(header));
    response.body(encoded)
}
