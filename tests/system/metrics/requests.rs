//! Every answered API request is counted by method, route and status class, whatever is recorded.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::http::Disconnect;
use system_tests::peers::openmetrics::Metrics;
use system_tests::service::{Running, Service};
use system_tests::wait;

use super::scrape;
use crate::support::{probe, run};

const COUNT: &str = "http_server_request_duration_seconds_count";
const BUCKET: &str = "http_server_request_duration_seconds_bucket";
const LIMIT: Duration = Duration::from_secs(20);

type Counts = BTreeMap<[String; 3], u64>;

/// The numbers of requests by method, route and class.
fn counts(metrics: &Metrics) -> Counts {
    let labels = ["http_request_method", "http_route", "http_response_status_class"];
    let samples = metrics.samples(COUNT, &[]);
    samples.map(|sample| (labels.map(|label| sample.labels[label].clone()), sample.value as u64)).collect()
}

/// Sends requests of each kind: successful, redirected, refused before and by the router, failed and panicked.
fn use_api(service: &Running) {
    let script = |finish: Value| run(service.client(), json!([]), finish).status;
    assert_eq!(script(Value::Null), 204);
    assert_eq!(script(json!({"respond": {"status": 200, "content_type": "text/plain", "body": "x"}})), 200);
    assert_eq!(script(json!({"error": "failed"})), 500);
    assert_eq!(script(json!({"panic": "panicked"})), 500);
    for (method, path, header, status) in [
        ("GET", "/users/%6Cogin", None, 405),
        ("GET", "/users/me", None, 401),
        ("HEAD", "/users/me", None, 401),
        ("GET", "/orders/00000000-0000-7000-8000-000000000000", None, 401),
        ("GET", "/nothing/here", None, 404),
        ("GET", "/orders/1/2/3", None, 404),
        ("BREW", "/nothing/here", None, 404),
        ("DELETE", "/probe/run", None, 405),
        ("OPTIONS", "/probe/run", None, 204),
        ("GET", "/users/me", Some(("upgrade", "websocket")), 400),
        ("GET", "/users/me", Some(("accept-encoding", "identity;q=0")), 406),
    ] {
        let request = service.request(method, path);
        let request = header.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let reply = request.send();
        assert_eq!(reply.status, status, "{method} {path} {header:?}: {}", reply.text());
    }
    let reply = service.post("/users").body("application/json", "{").send();
    assert_eq!(reply.status, 400, "{}", reply.text());
}

#[test]
fn the_counts_are_those_of_the_response_records() {
    let service = probe().env("APP__SERVER__DOCS", "true").start();
    use_api(&service);
    assert_eq!(service.get("/openapi.json").send().status, 200);
    let counted = final_counts(&service, 17);
    let mut recorded = Counts::new();
    for record in service.stop().records().iter().filter(|record| record["kind"] == "response") {
        let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let method = text("http.request.method");
        let method = if method == "BREW" { "_OTHER".to_owned() } else { method };
        let class = record["http.response.status_code"].as_u64().expect("every request was answered") / 100;
        *recorded.entry([method, text("http.route"), format!("{class}xx")]).or_default() += 1;
    }
    assert_eq!(counted, recorded);
    assert_eq!(counted.values().sum::<u64>(), 17);
    assert_eq!(counted[&["_OTHER", "", "4xx"].map(str::to_owned)], 1);
}

/// The counts when this number of requests has ended: a client may have the response just before its request has ended.
fn final_counts(service: &Running, requests: u64) -> Counts {
    wait::until("every request to end", LIMIT, || {
        Some(counts(&scrape(service))).filter(|counted| counted.values().sum::<u64>() == requests)
    })
}

#[test]
fn the_counts_do_not_depend_on_what_is_recorded() {
    let expected = {
        let service = probe().start();
        use_api(&service);
        final_counts(&service, 16)
    };
    let with = |key: &str, value: &str| probe().env(key, value);
    let settings: [(&str, Service); 4] = [
        ("log.mode off", with("APP__LOG__MODE", "off")),
        ("log.response.body off", with("APP__LOG__RESPONSE__BODY", "off")),
        ("all responses sampled out", with("APP__LOG__RESPONSE__SAMPLE_RATE", "0")),
        ("log.level critical", with("APP__LOG__LEVEL", "critical")),
    ];
    for (what, service) in settings {
        let service = service.start();
        use_api(&service);
        assert_eq!(final_counts(&service, 16), expected, "{what}");
    }
}

#[test]
fn clients_cannot_add_series() {
    let service = probe().start();
    for n in 0..60 {
        service.request(&format!("M{n}"), &format!("/nothing/{n}")).send();
        service.request(&format!("M{n}"), &format!("/users/{n}?x={n}")).send();
        service.get(&format!("/{n}/%7Bid%7D")).send();
        service.get(&format!("/orders/{n}")).header("x-request-id", n).send();
    }
    let keys: Vec<[String; 3]> = counts(&scrape(&service)).into_keys().collect();
    let expected =
        [["GET", "", "4xx"], ["GET", "/orders/{id}", "4xx"], ["_OTHER", "", "4xx"], ["_OTHER", "/users/{id}", "4xx"]];
    assert_eq!(keys, expected.map(|labels| labels.map(str::to_owned)));
}

#[test]
fn a_request_is_active_until_its_body_ends() {
    let service = probe().start();
    let stream =
        json!({"finish": {"stream": {"chunks": 600, "chunk": "x", "content_type": "text/plain", "interval_ms": 50}}});
    let pending = service.post("/probe/run").json(&stream).dispatch().expect("the service accepts it");
    wait::until("the response to begin", LIMIT, || pending.is_answered().ok().filter(|is_answered| *is_answered));
    let metrics = scrape(&service);
    assert_eq!((metrics.sum("http_server_active_requests", &[]), metrics.sum(COUNT, &[])), (1.0, 0.0));
    pending.disconnect(Disconnect::Close);
    wait::until("the request to end", LIMIT, || {
        let metrics = scrape(&service);
        (metrics.sum("http_server_active_requests", &[]) == 0.0).then_some(metrics)
    });
    let labels = [("http_route", "/probe/run"), ("http_response_status_class", "2xx")];
    assert_eq!(scrape(&service).sum(COUNT, &labels), 1.0, "it was answered, although the client left");

    // A client that leaves before the response has not been answered.
    let sleep = json!({"steps": [{"do": "sleep", "ms": 60_000}]});
    let pending = service.post("/probe/run").json(&sleep).dispatch().expect("the service accepts it");
    wait::until("the request to begin", LIMIT, || {
        (scrape(&service).sum("http_server_active_requests", &[]) == 1.0).then_some(())
    });
    pending.disconnect(Disconnect::Close);
    wait::until("the request to end", LIMIT, || {
        (scrape(&service).sum("http_server_active_requests", &[]) == 0.0).then_some(())
    });
    assert_eq!(scrape(&service).sum(COUNT, &[]), 1.0);
}

#[test]
fn exemplars_have_the_trace_of_a_record() {
    let service = probe().start();
    for ms in [0, 30] {
        run(service.client(), json!([{"do": "sleep", "ms": ms}]), Value::Null);
    }
    let caller = "4bf92f3577b34da6a3ce929d0e0e4736";
    let steps = json!({"steps": [{"do": "sleep", "ms": 600}]});
    service.post("/probe/run").json(&steps).header("traceparent", format!("00-{caller}-00f067aa0ba902b7-01")).send();
    let metrics = scrape(&service);
    let exemplars = metrics.samples(BUCKET, &[]).filter_map(|sample| sample.exemplar.clone());
    let traces: Vec<String> = exemplars.map(|exemplar| exemplar.labels["trace_id"].clone()).collect();
    assert!(traces.len() >= 2 && traces.contains(&caller.to_owned()), "{traces:?}");
    let records = service.stop().records();
    for trace in traces {
        assert!(records.iter().any(|record| record["trace_id"] == *trace), "no record has the trace {trace}");
    }
}
