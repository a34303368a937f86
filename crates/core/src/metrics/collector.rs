//! Reads the counts of all parts when metrics are requested. Nothing is counted twice.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cyanotype_telemetry::effective::OverrideScope;
use cyanotype_telemetry::{Pipeline, SinkCounts};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet};

use super::catalog::{self, Metric};
use super::process;
use crate::database::Database;
use crate::middleware::in_flight::InFlightRequests;

/// The parts that are read.
pub(super) struct Sources {
    pub pipeline: &'static Pipeline,
    pub database: Database,
    pub requests: InFlightRequests,
    /// Whether the process was ready when the metrics were requested.
    pub is_ready: Arc<AtomicBool>,
    /// The program's name and version.
    pub program: [&'static str; 2],
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let out = &mut encoder;
        self.encode_requests(out)?;
        let sinks = self.pipeline.sink_counts();
        self.encode_log(out, &sinks)?;
        encode_sentry(out, &sinks)?;
        self.encode_database(out)?;
        describe(out, &catalog::BUILD)?.encode_info(&[("program", self.program[0]), ("version", self.program[1])])?;
        encode_process(out)
    }
}

impl Sources {
    fn encode_requests(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut durations = describe(out, &catalog::REQUEST_DURATION)?;
        for (labels, histogram) in self.requests.metrics().used() {
            let labels = [
                ("http_request_method", labels.method),
                ("http_route", labels.route),
                ("http_response_status_class", labels.class),
            ];
            histogram.encode(durations.encode_family(&labels)?)?;
        }
        gauge(&mut describe(out, &catalog::READY)?, &[], u64::from(self.is_ready.load(Ordering::Relaxed)))?;
        gauge(&mut describe(out, &catalog::ACTIVE_REQUESTS)?, &[], self.requests.count() as u64)
    }

    fn encode_log(&self, out: &mut DescriptorEncoder<'_>, sinks: &[SinkCounts]) -> fmt::Result {
        let mut records = describe(out, &catalog::LOG_RECORDS)?;
        for SinkCounts { sink, records: counts, .. } in sinks {
            for of_kind in counts {
                let counts =
                    [("written", of_kind.written), ("dropped", of_kind.dropped), ("suppressed", of_kind.suppressed)];
                for (outcome, count) in counts {
                    let labels = [("kind", of_kind.kind), ("sink", sink), ("outcome", outcome)];
                    counter(&mut records, &labels, count)?;
                }
            }
        }
        for (metric, size) in [
            (&catalog::LOG_QUEUE_BYTES, (|sink| sink.queue_bytes) as fn(&SinkCounts) -> u64),
            (&catalog::LOG_QUEUE_RECORDS, |sink| sink.queue_records),
        ] {
            let mut queues = describe(out, metric)?;
            for sink in sinks {
                gauge(&mut queues, &[("sink", sink.sink)], size(sink))?;
            }
        }
        self.encode_overrides(out)?;
        counter(&mut describe(out, &catalog::DEBUG_TOKENS_REFUSED)?, &[], self.pipeline.refused_debug_tokens())
    }

    fn encode_overrides(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let snapshot = self.pipeline.snapshot();
        let mut overrides = describe(out, &catalog::LOG_OVERRIDES)?;
        for kind in OverrideScope::KINDS {
            let count = snapshot.overrides.iter().filter(|it| it.scope.kind() == kind).count();
            gauge(&mut overrides, &[("scope", kind)], count as u64)?;
        }
        Ok(())
    }

    fn encode_database(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let pool = self.database.pool();
        let mut connections = describe(out, &catalog::DATABASE_CONNECTIONS)?;
        gauge(&mut connections, &[("state", "idle")], pool.idle as u64)?;
        gauge(&mut connections, &[("state", "used")], pool.used as u64)?;
        let mut max = describe(out, &catalog::DATABASE_CONNECTIONS_MAX)?;
        pool.max.map_or(Ok(()), |count| gauge(&mut max, &[], count as u64))?;
        gauge(&mut describe(out, &catalog::DATABASE_PENDING_REQUESTS)?, &[], pool.waiting as u64)
    }
}

/// Without a sink for Sentry all values are 0, so that rules and dashboards find them.
fn encode_sentry(out: &mut DescriptorEncoder<'_>, sinks: &[SinkCounts]) -> fmt::Result {
    let deliveries = sinks.iter().find_map(|sink| sink.deliveries).unwrap_or_default();
    let mut events = describe(out, &catalog::SENTRY_EVENTS)?;
    for (outcome, count) in [
        ("sent", deliveries.sent),
        ("spooled", deliveries.spooled),
        ("refused", deliveries.refused),
        ("limited", deliveries.limited),
    ] {
        counter(&mut events, &[("outcome", outcome)], count)?;
    }
    gauge(&mut describe(out, &catalog::SENTRY_SPOOL_BYTES)?, &[], deliveries.spool_bytes)?;
    let age = deliveries.spool_oldest.unwrap_or_default().as_secs_f64();
    gauge(&mut describe(out, &catalog::SENTRY_SPOOL_AGE)?, &[], age)
}

fn encode_process(out: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let Some(status) = process::read() else { return Ok(()) };
    counter(&mut describe(out, &catalog::PROCESS_CPU)?, &[], status.cpu_seconds)?;
    gauge(&mut describe(out, &catalog::PROCESS_RESIDENT_MEMORY)?, &[], status.resident_bytes)?;
    gauge(&mut describe(out, &catalog::PROCESS_VIRTUAL_MEMORY)?, &[], status.virtual_bytes)?;
    gauge(&mut describe(out, &catalog::PROCESS_OPEN_FDS)?, &[], status.open_fds)?;
    let mut max_fds = describe(out, &catalog::PROCESS_MAX_FDS)?;
    status.max_fds.map_or(Ok(()), |count| gauge(&mut max_fds, &[], count))?;
    gauge(&mut describe(out, &catalog::PROCESS_THREADS)?, &[], status.threads)?;
    gauge(&mut describe(out, &catalog::PROCESS_START_TIME)?, &[], status.start_seconds)
}

fn describe<'a>(out: &'a mut DescriptorEncoder<'_>, metric: &'a Metric) -> Result<MetricEncoder<'a>, fmt::Error> {
    out.encode_descriptor(metric.name, metric.help, metric.unit.as_ref(), metric.kind)
}

fn counter(out: &mut MetricEncoder<'_>, labels: &[(&str, &str)], value: impl EncodeCounterValue + Copy) -> fmt::Result {
    out.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&value, None)
}

fn gauge(out: &mut MetricEncoder<'_>, labels: &[(&str, &str)], value: impl EncodeGaugeValue + Copy) -> fmt::Result {
    out.encode_family(&labels)?.encode_gauge(&value)
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix_web::http::StatusCode;
    use cyanotype_telemetry::memory::MemorySink;
    use cyanotype_telemetry::request::{CallerTrace, RequestParts};
    use cyanotype_telemetry::{Hooks, Sinks};
    use prometheus_client::encoding::{prometheus_text, text};
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::database::tests::in_memory;
    use crate::settings::Loader;

    /// The metrics of a service that has answered one request, in both formats.
    async fn encoded() -> [String; 2] {
        let settings = Loader::new("/no/config/here").load().expect("valid defaults");
        let sinks = Sinks::none().record(Arc::new(MemorySink::default()));
        // Lives as long as the process, like the pipeline of a service.
        let pipeline: &'static Pipeline =
            Box::leak(Box::new(Pipeline::new(&settings.telemetry(), Hooks::default(), sinks)));
        let requests = InFlightRequests::new(["/a/{b}".to_owned()]);
        let context = Arc::new(pipeline.begin_request(None, CallerTrace::default(), RequestParts::default()));
        context.identity().set_route(Some("/a/{b}".to_owned()));
        let mut answered = requests.begin(Arc::clone(&context));
        let _active = requests.begin(context);
        answered.answer(None, StatusCode::OK);
        drop(answered);
        let mut registry = Registry::default();
        let program = ["shop", "1.0"];
        registry.register_collector(Box::new(Sources {
            pipeline,
            database: in_memory().await,
            requests,
            is_ready: Arc::default(),
            program,
        }));
        let mut encoded = [String::new(), String::new()];
        text::encode(&mut encoded[0], &registry).expect("a string takes any text");
        prometheus_text::encode(&mut encoded[1], &registry).expect("a string takes any text");
        encoded
    }

    #[actix_web::test]
    async fn every_metric_is_described_once_in_order() {
        let [open_metrics, _] = encoded().await;
        let described = open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(str::to_owned);
        let expected = catalog::ALL.iter().map(|Metric { name, unit, kind, .. }| {
            let unit = unit.as_ref().map(|unit| format!("_{}", unit.as_str())).unwrap_or_default();
            format!("{name}{unit} {}", kind.as_str())
        });
        assert_eq!(described.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    #[actix_web::test]
    async fn both_formats_have_the_values() {
        for encoded in encoded().await {
            for line in [
                "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_route=\"/a/{b}\",\
                 http_response_status_class=\"2xx\"} 1",
                "http_server_active_requests 1",
                "log_overrides{scope=\"process\"} 0",
                "log_debug_tokens_refused_total 0",
                "sentry_events_total{outcome=\"sent\"} 0",
                "database_connections{state=\"idle\"} 1",
                "database_pending_requests 0",
                "build_info{program=\"shop\",version=\"1.0\"} 1",
            ] {
                assert!(encoded.lines().any(|other| other == line), "{line}\n{encoded}");
            }
        }
    }
}
