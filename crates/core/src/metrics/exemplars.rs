//! Adds exemplars to OpenMetrics. prometheus-client encodes only those of its own histograms.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::UNIX_EPOCH;

use crate::request_metrics::{Exemplar, RequestMetrics};

const BUCKET: &str = "http_server_request_duration_seconds_bucket";

/// The exemplars by the name and labels of their bucket.
pub(super) struct Exemplars(HashMap<String, Exemplar>);

impl Exemplars {
    pub(super) fn of(requests: &RequestMetrics) -> Self {
        let mut exemplars = HashMap::new();
        for (labels, histogram) in requests.used() {
            let [method, route, class] = [labels.method, &*escaped(labels.route), labels.class];
            for (bound, exemplar) in histogram.exemplars() {
                let bound = if bound.is_finite() { format!("{bound:?}") } else { "+Inf".to_owned() };
                let sample = format!(
                    "{BUCKET}{{le=\"{bound}\",http_request_method=\"{method}\",http_route=\"{route}\",\
                     http_response_status_class=\"{class}\"}}"
                );
                exemplars.insert(sample, exemplar);
            }
        }
        Self(exemplars)
    }

    /// Adds each exemplar to the line of its bucket.
    pub(super) fn add_to(&self, encoded: &str) -> String {
        let mut added = String::with_capacity(encoded.len() + 100 * self.0.len());
        for line in encoded.lines() {
            added.push_str(line);
            let sample = line.rsplit_once(' ').map(|(sample, _)| sample).filter(|sample| sample.starts_with(BUCKET));
            if let Some(Exemplar { trace_id, seconds, at }) = sample.and_then(|sample| self.0.get(sample)) {
                let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
                // Writing to a string cannot fail.
                let _ = write!(added, " # {{trace_id=\"{trace_id}\"}} {seconds:?} {at:?}");
            }
            added.push('\n');
        }
        added
    }
}

/// A label's value, as the format escapes it. Patterns may contain regular expressions.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use actix_web::http::StatusCode;
    use cyanotype_telemetry::request::{CallerTrace, RequestIdentity, RequestParts};
    use prometheus_client::encoding::text;
    use prometheus_client::metrics::family::Family;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::registry::{Registry, Unit};

    use super::*;

    #[test]
    fn an_exemplar_is_added_to_the_line_that_the_encoder_writes() {
        const PATTERN: &str = "/a/{n:\\d+\"}";
        let requests = RequestMetrics::new([PATTERN.to_owned()]);
        let identity = RequestIdentity::new(None, CallerTrace::default(), RequestParts::default());
        identity.set_route(Some(PATTERN.to_owned()));
        let trace = identity.trace_id().to_string();
        requests.record(requests.series(None, &identity, StatusCode::OK), Instant::now(), &identity);

        let mut registry = Registry::default();
        let family = Family::<Vec<(&str, &str)>, _>::new_with_constructor(|| Histogram::new([0.005, 1.0]));
        let labels =
            vec![("http_request_method", "GET"), ("http_route", PATTERN), ("http_response_status_class", "2xx")];
        family.get_or_create(&labels).observe(0.001);
        registry.register_with_unit("http_server_request_duration", "help", Unit::Seconds, family);
        let mut encoded = String::new();
        text::encode(&mut encoded, &registry).expect("a string takes any text");

        let added = Exemplars::of(&requests).add_to(&encoded);
        let with_exemplars: Vec<&str> = added.lines().filter(|line| line.contains(" # {")).collect();
        assert_eq!(with_exemplars.len(), 1, "{added}");
        assert!(with_exemplars[0].contains("le=\"0.005\"") && with_exemplars[0].contains(&trace), "{added}");
        assert!(added.ends_with("# EOF\n"));
    }
}
