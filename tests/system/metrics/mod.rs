//! `GET /metrics` on the management listener, read by the strict parser of Prometheus' Python client.

mod losses;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use system_tests::peers::openmetrics::{self, Metrics};
use system_tests::service::Running;
use system_tests::{ports, wait};

use crate::documents::check;
use crate::support::{probe, run};

fn scrape(service: &Running) -> Metrics {
    openmetrics::scrape(service.management())
}

fn text(service: &Running, accept: Option<&str>) -> (String, String) {
    let request = service.management().get("/metrics");
    let reply = accept.into_iter().fold(request, |request, accept| request.header("accept", accept)).send();
    (reply.header("content-type").unwrap_or_default().to_owned(), reply.text().to_owned())
}

/// A service with both sinks, whose Sentry does not exist, after one request.
fn used() -> Running {
    let dsn = format!("http://0123456789abcdef0123456789abcdef@127.0.0.1:{}/1", ports::free());
    let service = probe().env("SENTRY_DSN", dsn).env("APP__SENTRY__SPOOL_DIR", "spool").start();
    assert_eq!(run(service.client(), json!([]), Value::Null).status, 204);
    service
}

#[test]
fn no_token_is_needed_and_nothing_is_recorded() {
    let service = probe().env("APP__MANAGEMENT__TOKEN", "a-token-of-a-test").start();
    for _ in 0..3 {
        assert_eq!(service.management().get("/metrics").send().status, 200);
        assert_eq!(service.management().request("HEAD", "/metrics").send().status, 200);
    }
    assert_eq!(service.get("/metrics").send().status, 404, "the API listener does not serve them");
    // A client may have the response just before its request has ended.
    wait::until("the only request of the API listener to end", Duration::from_secs(20), || {
        let requests = scrape(&service).sum("http_server_request_duration_seconds_count", &[]);
        assert!(requests <= 1.0, "only requests of the API listener count");
        (requests == 1.0).then_some(())
    });
    let records = service.stop().records();
    assert_eq!(records.iter().filter(|record| record["kind"] == "response").count(), 1);
}

#[test]
fn the_accept_header_selects_the_format() {
    let service = used();
    let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let classic = "text/plain; version=0.0.4; charset=utf-8";
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for (accept, expected) in [
        (None, open),
        (Some("*/*"), open),
        (Some(prometheus), open),
        (Some("application/openmetrics-text"), open),
        (Some("text/plain; version=0.0.4"), classic),
    ] {
        let (content_type, body) = text(&service, accept);
        assert_eq!(content_type, expected, "{accept:?}");
        assert_eq!(body.ends_with("# EOF\n"), expected == open, "{accept:?}");
    }
    // Both formats have the same samples, but for values, and for bounds such as `1.0` and `1`.
    let names = |metrics: &Metrics| -> BTreeSet<(String, BTreeMap<String, String>)> {
        let samples = metrics.0.iter().flat_map(|family| family.samples.clone());
        let labels = |(name, value): (String, String)| match name.as_str() {
            "le" => (name, value.trim_end_matches(".0").to_owned()),
            _ => (name, value),
        };
        samples.map(|sample| (sample.name, sample.labels.into_iter().map(labels).collect())).collect()
    };
    let open = openmetrics::parse("openmetrics", &text(&service, None).1);
    let classic = openmetrics::parse("classic", &text(&service, Some("text/plain")).1);
    assert_eq!(names(&open), names(&classic));
}

#[test]
fn the_process_is_described() {
    let service = used();
    let metrics = scrape(&service);
    let value = |name: &str| metrics.sum(name, &[]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs_f64();
    assert!((now - value("process_start_time_seconds")).abs() < 120.0, "{}", value("process_start_time_seconds"));
    assert!(value("process_cpu_seconds_total") > 0.0);
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_max_fds") >= value("process_open_fds") && value("process_open_fds") > 5.0);
    let build: Vec<_> = metrics.samples("build_info", &[("program", "app")]).collect();
    assert_eq!(build.len(), 1, "{build:?}");
    assert_eq!((value("http_server_active_requests"), value("database_pending_requests")), (0.0, 0.0));
    assert!(metrics.sum("database_connections", &[]) >= 1.0, "SQLite's writing connection");
}

#[test]
fn readiness_is_a_metric() {
    let mut service = probe().env("APP__SERVER__DRAIN_S", "60").start();
    let ready = || scrape(&service).sum("service_ready", &[]);
    assert_eq!(ready(), 1.0);
    service.signal("TERM");
    wait::until("the stop", Duration::from_secs(20), || (ready() == 0.0).then_some(()));
    service.signal("TERM");
    assert_eq!(service.wait_exit(Duration::from_secs(20)).code(), Some(1));
}

#[test]
fn overrides_and_refused_tokens_are_counted() {
    let service = probe()
        .env("APP__LOG__DEBUG_KEY", "a key of a test, of 32 bytes or more")
        .env("APP__MANAGEMENT__SOCKET", "management.sock")
        .env("APP__MANAGEMENT__TOKEN", "a-token-of-a-test")
        .start();
    let put = json!({"set": {"log.level": "debug"}, "for": "10m", "reason": "a test", "blueprint": "probe"});
    let request = service.management().request("PUT", "/log/overrides/one").json(&put);
    let reply = request.bearer("a-token-of-a-test").send();
    assert_eq!(reply.status, 201, "{}", reply.text());
    for _ in 0..3 {
        service.get("/users/me").header("x-debug-log", "no token").send();
    }
    let metrics = scrape(&service);
    let scopes = ["process", "blueprint", "module", "route"];
    assert_eq!(scopes.map(|scope| metrics.sum("log_overrides", &[("scope", scope)])), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(metrics.sum("log_debug_tokens_refused_total", &[]), 3.0);
}

#[test]
fn the_metrics_reference_is_current() {
    let metrics = scrape(&used());
    let row = |family: &openmetrics::Family| {
        let suffix = match family.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let labels: BTreeSet<&String> = family.samples.iter().flat_map(|sample| sample.labels.keys()).collect();
        let labels = labels.into_iter().filter(|label| *label != "le").map(|label| format!("`{label}`"));
        let labels = labels.collect::<Vec<_>>().join(", ");
        format!("| `{}{suffix}` | {} | {labels} | {} |\n", family.name, family.kind, family.help)
    };
    let rows: String = metrics.0.iter().map(row).collect();
    let table = format!("| name | type | labels | meaning |\n| --- | --- | --- | --- |\n{rows}");
    check("docs/METRICS.md", "GET /metrics", &table);
}
