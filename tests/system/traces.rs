//! One trace id for everything that a request leaves behind, and the caller's decision and baggage in what it sends on.

use serde_json::Value;
use system_tests::http::Request;
use system_tests::peers::recording_sentry::{Envelope, RecordingSentry};
use system_tests::service::{Running, Stopped};

use crate::api::text;
use crate::support::{of_kind, probe};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
/// Of another tracing system, and of Sentry.
const BAGGAGE: &str = "tenant=7;ttl=1, sentry-trace_id=4bf92f3577b34da6a3ce929d0e0e4736,sentry-sample_rand=0.25";

/// A service that calls the users of another process, which fails, and what the three say of the request.
struct Traced {
    sentry: RecordingSentry,
    users: RecordingSentry,
    service: Running,
}

/// What one request left behind.
struct Trail {
    /// The request to the other process.
    outgoing: Envelope,
    event: Value,
    transactions: Vec<Value>,
    stopped: Stopped,
}

impl Traced {
    fn start(traces_sample_rate: &str, settings: &[(&str, &str)]) -> Self {
        let (sentry, users) = (RecordingSentry::start(|_| "200 OK"), RecordingSentry::start(|_| "404 Not Found"));
        let service = probe().env("SENTRY_DSN", sentry.dsn()).env("APP__BLUEPRINTS__ENABLED", "orders,probe");
        let service = service.env("APP__SENTRY__TRACES_SAMPLE_RATE", traces_sample_rate);
        let service = service.env("APP__BLUEPRINTS__ORDERS__USERS_URL", format!("http://127.0.0.1:{}", users.port()));
        let service = settings.iter().fold(service, |service, (key, value)| service.env(key, *value)).start();
        Self { sentry, users, service }
    }

    /// Sends a request with these headers, and stops the service.
    #[track_caller]
    fn send(self, headers: &[(&str, &str)]) -> Trail {
        let request = self.service.get("/orders").bearer("any");
        let add = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
        assert_eq!(headers.iter().fold(request, add).send().status, 503);
        let event = self.sentry.wait_payloads("event", 1).remove(0);
        let stopped = self.service.stop();
        let outgoing = self.users.envelopes().remove(0);
        Trail { outgoing, event, transactions: self.sentry.payloads("transaction"), stopped }
    }
}

impl Trail {
    /// Asserts that everything has this trace id, and returns the span of the request.
    #[track_caller]
    fn check_trace(&self, trace: &str) -> String {
        let records = self.stopped.records();
        let uncaught = of_kind(&records, "uncaught");
        assert_eq!((uncaught.len(), &uncaught[0]["trace_id"]), (1, &Value::from(trace)));
        let context = &self.event["contexts"]["trace"];
        assert_eq!(context["trace_id"], trace, "{context}");
        let span = text(context, "span_id");
        for transaction in &self.transactions {
            let own = &transaction["contexts"]["trace"];
            assert_eq!(
                (&own["trace_id"], &own["span_id"]),
                (&Value::from(trace), &Value::from(span.as_str())),
                "{own}"
            );
        }
        let sent = |name: &str| self.outgoing.header(name).expect("the header is sent").to_owned();
        assert!(sent("traceparent").starts_with(&format!("00-{trace}-{span}-")), "{}", sent("traceparent"));
        assert!(sent("sentry-trace").starts_with(&format!("{trace}-{span}")), "{}", sent("sentry-trace"));
        span
    }

    /// The sampling decisions of `traceparent` and `sentry-trace`.
    fn decisions(&self) -> [String; 2] {
        let sent = |name: &str| self.outgoing.header(name).expect("the header is sent");
        let part = |text: &str, at: usize| text.split('-').nth(at).unwrap_or_default().to_owned();
        [part(sent("traceparent"), 3), part(sent("sentry-trace"), 2)]
    }
}

#[test]
fn one_trace_id_links_everything_of_a_request() {
    let traceparent = format!("00-{TRACE}-{SPAN}-01");
    let sentry_trace = format!("{TRACE}-{SPAN}-1");
    for headers in [&[("traceparent", traceparent.as_str())][..], &[("sentry-trace", &sentry_trace)]] {
        for (rate, transactions) in [("0", 0), ("1", 1)] {
            let trail = Traced::start(rate, &[]).send(headers);
            let span = trail.check_trace(TRACE);
            assert_ne!(span, SPAN);
            assert_eq!(trail.decisions(), ["01", "1"], "{rate} {headers:?}");
            assert_eq!(trail.transactions.len(), transactions, "{rate} {headers:?}");
            let parents = trail.transactions.iter().map(|it| &it["contexts"]["trace"]["parent_span_id"]);
            assert!(parents.into_iter().all(|parent| parent == SPAN), "{:?}", trail.transactions);
        }
    }
}

#[test]
fn the_callers_decision_wins_over_the_rate() {
    let not_sampled = format!("00-{TRACE}-{SPAN}-00");
    let sampled = format!("{TRACE}-{SPAN}-1");
    let ignored = [("APP__SENTRY__TRACES_FOLLOW_CALLER", "false")];
    for (rate, settings, header, decisions, transactions) in [
        ("1", &[][..], ("traceparent", not_sampled.as_str()), ["00", "0"], 0),
        ("0.0000001", &[], ("sentry-trace", &sampled), ["01", "1"], 1),
        ("1", &ignored, ("traceparent", &not_sampled), ["01", "1"], 1),
        ("0.0000001", &ignored, ("sentry-trace", &sampled), ["00", "0"], 0),
    ] {
        let trail = Traced::start(rate, settings).send(&[header]);
        trail.check_trace(TRACE);
        assert_eq!(
            (trail.decisions(), trail.transactions.len()),
            (decisions.map(str::to_owned), transactions),
            "{rate} {header:?}"
        );
    }
}

#[test]
fn baggage_and_tracestate_are_passed_on() {
    let traceparent = format!("00-{TRACE}-{SPAN}-01");
    let state = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7";
    let headers = [("traceparent", traceparent.as_str()), ("tracestate", state), ("baggage", BAGGAGE)];
    for rate in ["0", "1"] {
        let outgoing = Traced::start(rate, &[]).send(&headers).outgoing;
        assert_eq!((outgoing.header("tracestate"), outgoing.header("baggage")), (Some(state), Some(BAGGAGE)));
    }
}

#[test]
fn a_new_trace_has_one_decision() {
    for (rate, decisions) in [("0", ["00", ""]), ("1", ["01", "1"]), ("0.0000001", ["00", "0"])] {
        // The first three are malformed, so the baggage of Sentry belongs to no trace here.
        let headers = [
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"),
            ("sentry-trace", "4bf92f3577b34da6a3ce929d0e0e4736"),
            ("tracestate", "congo=t61rcWkgMzE"),
            ("baggage", BAGGAGE),
        ];
        let trail = Traced::start(rate, &[]).send(&headers);
        let trace = text(&trail.event["contexts"]["trace"], "trace_id");
        assert_ne!(trace, TRACE);
        trail.check_trace(&trace);
        assert_eq!(trail.decisions(), decisions, "{rate}");
        assert_eq!(
            (trail.outgoing.header("tracestate"), trail.outgoing.header("baggage")),
            (None, Some("tenant=7;ttl=1"))
        );
    }
}
