//! The durations of one series.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use prometheus_client::encoding::{EncodeLabel, EncodeLabelSet, EncodeMetric, LabelSetEncoder, MetricEncoder};
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use uuid::fmt::Simple;

/// The upper bounds of the buckets in seconds, as OpenTelemetry's semantic conventions advise for `http.server.request.duration`.
pub(crate) const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The minimum time between two exemplars of a bucket.
const EXEMPLAR_INTERVAL: Duration = Duration::from_secs(1);

/// A histogram, and when each of its buckets may have another exemplar.
#[derive(Debug)]
pub(crate) struct DurationHistogram {
    durations: HistogramWithExemplars<TraceId>,
    /// In milliseconds since the start. The last one is that of the bucket without a bound.
    next_exemplar: [AtomicU64; BOUNDS.len() + 1],
}

/// The label of an exemplar.
#[derive(Debug)]
struct TraceId(Simple);

impl EncodeLabelSet for TraceId {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let mut text = [0; Simple::LENGTH];
        ("trace_id", &*self.0.encode_lower(&mut text)).encode(encoder.encode_label())
    }
}

impl DurationHistogram {
    pub(crate) fn new() -> Self {
        Self {
            durations: HistogramWithExemplars::new(BOUNDS.into_iter()),
            next_exemplar: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Counts a duration. `now` is the time since the start; it limits how often the trace id is stored.
    pub(crate) fn observe(&self, duration: Duration, trace_id: Option<Simple>, now: Duration) {
        let seconds = duration.as_secs_f64();
        let trace_id = trace_id.filter(|_| self.takes_exemplar(seconds, now)).map(TraceId);
        let at = trace_id.as_ref().map(|_| SystemTime::now());
        self.durations.observe(seconds, trace_id, at);
    }

    pub(crate) fn encode(&self, encoder: MetricEncoder<'_>) -> fmt::Result {
        self.durations.encode(encoder)
    }

    /// Whether the bucket of this duration has had no exemplar for [`EXEMPLAR_INTERVAL`].
    fn takes_exemplar(&self, seconds: f64, now: Duration) -> bool {
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        let next = &self.next_exemplar[bucket];
        let (due, now) = (next.load(Ordering::Relaxed), now.as_millis() as u64);
        // Of two threads one takes it.
        now >= due
            && next
                .compare_exchange(due, now + EXEMPLAR_INTERVAL.as_millis() as u64, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;
    use uuid::Uuid;

    use super::*;

    fn encoded(histogram: &DurationHistogram) -> String {
        let mut registry = Registry::default();
        registry.register("d", "d", histogram.durations.clone());
        let mut encoded = String::new();
        text::encode(&mut encoded, &registry).expect("a string takes any text");
        encoded
    }

    #[test]
    fn a_duration_counts_in_the_bucket_of_its_bound() {
        let histogram = DurationHistogram::new();
        for milliseconds in [0, 5, 6, 10_000, 10_001] {
            histogram.observe(Duration::from_millis(milliseconds), None, Duration::ZERO);
        }
        let text = encoded(&histogram);
        for line in ["d_bucket{le=\"0.005\"} 2", "d_bucket{le=\"0.01\"} 3", "d_bucket{le=\"10.0\"} 4", "d_count 5"] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        assert_eq!(text.matches("_bucket{").count(), BOUNDS.len() + 1);
    }

    #[test]
    fn a_bucket_has_one_exemplar_a_second() {
        let histogram = DurationHistogram::new();
        let observe = |seconds: f64, trace: u128, now: u64| {
            let trace_id = Some(Uuid::from_u128(trace).simple());
            histogram.observe(Duration::from_secs_f64(seconds), trace_id, Duration::from_millis(now));
        };
        observe(0.001, 1, 10);
        observe(0.001, 2, 1009);
        observe(0.02, 3, 500);
        observe(20.0, 4, 500);
        let trace_of = |bound: &str| {
            let text = encoded(&histogram);
            let line = text.lines().find(|line| line.contains(&format!("le=\"{bound}\""))).expect("a bucket");
            line.split_once("# {trace_id=\"").and_then(|(_, rest)| rest.split('"').next().map(str::to_owned))
        };
        let trace = |number: u128| Some(format!("{number:032x}"));
        assert_eq!([trace_of("0.005"), trace_of("0.025"), trace_of("+Inf")], [trace(1), trace(3), trace(4)]);
        assert_eq!(trace_of("10.0"), None);
        observe(0.001, 5, 1010);
        assert_eq!(trace_of("0.005"), trace(5));
        histogram.observe(Duration::ZERO, None, Duration::from_secs(9));
        assert_eq!(trace_of("0.005"), trace(5), "a request without a trace id replaces none");
    }
}
