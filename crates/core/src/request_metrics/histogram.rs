//! The durations of one series, counted without a lock: prometheus-client's histogram with exemplars takes two.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use prometheus_client::encoding::{MetricEncoder, NoLabelSet};
use uuid::fmt::Simple;

/// The upper bounds of the buckets in seconds, as OpenTelemetry's semantic conventions advise for `http.server.request.duration`; the
/// last bucket has none.
pub(crate) const BOUNDS: [f64; 15] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, f64::INFINITY];
const NANOS_PER_SECOND: f64 = 1e9;

/// The minimum time between two exemplars of a bucket, in nanoseconds.
const EXEMPLAR_INTERVAL: u64 = 1_000_000_000;

/// A histogram of durations.
#[derive(Debug, Default)]
pub(crate) struct DurationHistogram {
    buckets: [Bucket; BOUNDS.len()],
    sum_nanos: AtomicU64,
}

#[derive(Debug, Default)]
struct Bucket {
    count: AtomicU64,
    /// When it may have another exemplar, in nanoseconds since the start.
    next_exemplar: AtomicU64,
    exemplar: Mutex<Option<Exemplar>>,
}

/// A duration that has been counted.
pub(crate) struct Observed<'a> {
    bucket: &'a Bucket,
    seconds: f64,
}

/// A request that a bucket counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Exemplar {
    pub trace_id: Simple,
    pub seconds: f64,
    pub at: SystemTime,
}

impl DurationHistogram {
    /// Counts a duration.
    pub(crate) fn observe(&self, duration: Duration) -> Observed<'_> {
        let nanos = nanos_of(duration);
        let seconds = nanos as f64 / NANOS_PER_SECOND;
        let at = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len() - 1);
        let bucket = &self.buckets[at];
        bucket.count.fetch_add(1, Ordering::Relaxed);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
        Observed { bucket, seconds }
    }

    /// Encodes the counts, without exemplars.
    pub(crate) fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let counts = self.buckets.each_ref().map(|bucket| bucket.count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = BOUNDS.into_iter().zip(counts).collect();
        let sum = self.sum_nanos.load(Ordering::Relaxed) as f64 / NANOS_PER_SECOND;
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    /// The exemplars, each with the bound of its bucket.
    pub(crate) fn exemplars(&self) -> impl Iterator<Item = (f64, Exemplar)> {
        BOUNDS.into_iter().zip(&self.buckets).filter_map(|(bound, bucket)| Some((bound, (*bucket.exemplar.lock())?)))
    }
}

impl Observed<'_> {
    /// Stores the trace id of the request, unless its bucket has had one in the last second. `now` is the time since the start.
    pub(crate) fn offer_exemplar(self, trace_id: Simple, now: Duration) {
        let Self { bucket, seconds } = self;
        if bucket.takes_exemplar(nanos_of(now)) {
            *bucket.exemplar.lock() = Some(Exemplar { trace_id, seconds, at: SystemTime::now() });
        }
    }
}

impl Bucket {
    /// Whether there has been no exemplar for [`EXEMPLAR_INTERVAL`]. Of two threads one takes it.
    fn takes_exemplar(&self, now: u64) -> bool {
        let due = self.next_exemplar.load(Ordering::Relaxed);
        let next = now + EXEMPLAR_INTERVAL;
        now >= due && self.next_exemplar.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Without the 128 bits of `Duration::as_nanos`: 64 last for 584 years.
fn nanos_of(duration: Duration) -> u64 {
    duration.as_secs().wrapping_mul(1_000_000_000).wrapping_add(u64::from(duration.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_duration_counts_in_the_bucket_of_its_bound() {
        let histogram = DurationHistogram::default();
        for milliseconds in [0, 5, 6, 10_000, 10_001] {
            histogram.observe(Duration::from_millis(milliseconds));
        }
        let counts = histogram.buckets.each_ref().map(|bucket| bucket.count.load(Ordering::Relaxed));
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(histogram.sum_nanos.load(Ordering::Relaxed), 20_012_000_000);
    }

    #[test]
    fn a_bucket_has_one_exemplar_a_second() {
        let histogram = DurationHistogram::default();
        let observe = |seconds: f64, trace: u128, now: u64| {
            let observed = histogram.observe(Duration::from_secs_f64(seconds));
            observed.offer_exemplar(Uuid::from_u128(trace).simple(), Duration::from_millis(now));
        };
        observe(0.001, 1, 10);
        observe(0.001, 2, 1009);
        observe(0.02, 3, 500);
        observe(20.0, 4, 500);
        let traces = || -> Vec<(f64, u128)> {
            histogram.exemplars().map(|(bound, it)| (bound, it.trace_id.into_uuid().as_u128())).collect()
        };
        assert_eq!(traces(), [(0.005, 1), (0.025, 3), (f64::INFINITY, 4)]);
        observe(0.001, 5, 1010);
        assert_eq!(traces()[0], (0.005, 5));
        histogram.observe(Duration::ZERO);
        assert_eq!(traces()[0], (0.005, 5), "a request without a trace id replaces none");
    }
}
