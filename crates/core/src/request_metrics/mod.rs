//! The durations of API requests by method, route and status class. Every series that can exist is known at startup, whatever
//! clients send; counting a request allocates nothing once its series has been used.

mod by_length;
mod histogram;
mod routes;

use std::sync::OnceLock;
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::http::{Method, StatusCode};
use cyanotype_telemetry::request::RequestIdentity;

pub(crate) use histogram::{DurationHistogram, Exemplar};
use routes::Routes;

/// The methods that OpenTelemetry's semantic conventions know; all others are `_OTHER`.
const METHODS: [&str; 11] =
    ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE", "QUERY", "_OTHER"];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The durations of the requests of all workers.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    start: Instant,
    routes: Routes,
    /// By route, method and class. A series exists from its first request on.
    series: Box<[OnceLock<Box<DurationHistogram>>]>,
}

/// The position of a series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeriesIndex(usize);

/// The labels of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SeriesLabels<'a> {
    pub method: &'static str,
    /// Empty if no route matched.
    pub route: &'a str,
    pub class: &'static str,
}

impl RequestMetrics {
    /// The metrics of an app with these route patterns.
    pub(crate) fn new(patterns: impl IntoIterator<Item = String>) -> Self {
        let routes = Routes::new(patterns);
        let series = std::iter::repeat_with(OnceLock::new).take(routes.len() * METHODS.len() * CLASSES.len()).collect();
        Self { start: Instant::now(), routes, series }
    }

    /// The series of a request that was answered with this status. `request` is `None` if its handler panicked.
    pub(crate) fn series(
        &self,
        request: Option<&HttpRequest>,
        identity: &RequestIdentity,
        status: StatusCode,
    ) -> SeriesIndex {
        let route = self.routes.of(request, identity);
        // The identity has the method as it was sent: HEAD is routed as GET.
        let method = method(&identity.parts.method);
        SeriesIndex((route * METHODS.len() + method) * CLASSES.len() + class(status))
    }

    /// Counts a request that has ended now.
    pub(crate) fn record(&self, SeriesIndex(at): SeriesIndex, started: Instant, identity: &RequestIdentity) {
        let now = Instant::now();
        let histogram = self.series[at].get_or_init(Box::default);
        let observed = histogram.observe(now - started);
        // Only an id that is in a record, an event or the caller's trace leads anywhere.
        if let Some(trace_id) = identity.known_trace_id() {
            observed.offer_exemplar(trace_id, now - self.start);
        }
    }

    /// The series that have requests.
    pub(crate) fn used(&self) -> impl Iterator<Item = (SeriesLabels<'_>, &DurationHistogram)> {
        self.series.iter().enumerate().filter_map(|(at, histogram)| {
            let (at, class) = (at / CLASSES.len(), CLASSES[at % CLASSES.len()]);
            let (route, method) = (self.routes.pattern(at / METHODS.len()), METHODS[at % METHODS.len()]);
            Some((SeriesLabels { method, route, class }, &**histogram.get()?))
        })
    }
}

/// The position in [`METHODS`].
fn method(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::POST => 1,
        Method::PUT => 2,
        Method::PATCH => 3,
        Method::DELETE => 4,
        Method::HEAD => 5,
        Method::OPTIONS => 6,
        Method::CONNECT => 7,
        Method::TRACE => 8,
        _ if method.as_str() == "QUERY" => 9,
        _ => METHODS.len() - 1,
    }
}

/// By the first digit. Clients treat an invalid status as 5xx (RFC 9110, section 15).
fn class(status: StatusCode) -> usize {
    (usize::from(status.as_u16() / 100) - 1).min(CLASSES.len() - 1)
}

#[cfg(test)]
mod tests {
    use cyanotype_telemetry::request::{CallerTrace, RequestParts};

    use super::*;

    fn identity(method: &str, route: Option<&str>) -> RequestIdentity {
        let method = method.parse().expect("a method");
        let identity =
            RequestIdentity::new(None, CallerTrace::default(), RequestParts { method, ..RequestParts::default() });
        identity.set_route(route.map(str::to_owned));
        identity
    }

    fn count(metrics: &RequestMetrics, method: &str, route: Option<&str>, status: u16) {
        let identity = identity(method, route);
        let status = StatusCode::from_u16(status).expect("a status");
        let series = metrics.series(None, &identity, status);
        metrics.record(series, Instant::now(), &identity);
    }

    #[test]
    fn a_request_counts_in_its_series() {
        let metrics = RequestMetrics::new(["/a".to_owned(), "/b/{id}".to_owned()]);
        for (method, route, status) in [
            ("GET", Some("/a"), 200),
            ("HEAD", Some("/a"), 304),
            ("DELETE", Some("/b/{id}"), 599),
            ("TRACE", None, 101),
            ("QUERY", None, 404),
        ] {
            count(&metrics, method, route, status);
        }
        let mut used: Vec<_> = metrics.used().map(|(it, _)| (it.method, it.route, it.class)).collect();
        used.sort_unstable();
        let expected = [
            ("DELETE", "/b/{id}", "5xx"),
            ("GET", "/a", "2xx"),
            ("HEAD", "/a", "3xx"),
            ("QUERY", "", "4xx"),
            ("TRACE", "", "1xx"),
        ];
        assert_eq!(used, expected);
    }

    #[test]
    fn a_method_has_its_name() {
        for name in METHODS {
            assert_eq!(METHODS[method(&name.parse().expect("a method"))], name);
        }
        assert_eq!(METHODS[method(&"get".parse().expect("a method"))], "_OTHER");
    }

    #[test]
    fn clients_cannot_add_series() {
        let metrics = RequestMetrics::new(["/a".to_owned()]);
        for n in 0..1000 {
            count(&metrics, &format!("M{n}"), Some(&format!("/{n}")), 100 + n % 900);
            count(&metrics, "get", None, 200);
        }
        let mut used: Vec<_> = metrics.used().map(|(it, _)| (it.method, it.route, it.class)).collect();
        used.sort_unstable();
        assert_eq!(used, CLASSES.map(|class| ("_OTHER", "", class)));
    }
}
