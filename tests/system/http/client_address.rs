//! The client address: only the configured header counts, and only from trusted proxies.

use serde_json::{Value, json};
use system_tests::peers::bugsink::Bugsink;
use system_tests::peers::recording_sentry::RecordingSentry;
use system_tests::service::{Running, Service};

use crate::support::{of_kind, probe, probe_with};

/// Forged headers that a client sends in addition to the one that the proxy sets.
const FORGED: [(&str, &str); 5] = [
    ("forwarded", "for=6.6.6.1;host=evil.example;proto=https"),
    ("x-forwarded-for", "6.6.6.2"),
    ("x-real-ip", "6.6.6.3"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "https"),
];

fn behind_a_proxy(header: &str) -> Service {
    let service = probe().env("APP__SERVER__TRUSTED_PROXIES", "127.0.0.1");
    service.env("APP__SERVER__CLIENT_ADDRESS_HEADER", header)
}

fn send(service: &Running, sent: &[(&str, &str)]) -> u16 {
    sent.iter().fold(service.get("/nowhere"), |request, (name, value)| request.header(name, value)).send().status
}

fn recorded(service: Running) -> Vec<Value> {
    let records = service.stop().records();
    of_kind(&records, "response").into_iter().map(|record| record["client.address"].clone()).collect()
}

#[test]
fn only_the_configured_header_sets_the_client_address() {
    for (header, sets) in [
        ("x-forwarded-for", "6.6.6.6, 198.51.100.1"),
        ("forwarded", "for=6.6.6.6, for=\"198.51.100.1:4711\";proto=https"),
        ("x-real-ip", "198.51.100.1"),
    ] {
        let service = behind_a_proxy(header).start();
        let forged: Vec<_> = FORGED.into_iter().filter(|(name, _)| *name != header).collect();
        send(&service, &[&forged[..], &[(header, sets)]].concat());
        send(&service, &forged);
        assert_eq!(recorded(service), ["198.51.100.1", "127.0.0.1"], "{header}");
    }
    let service = behind_a_proxy("none").start();
    send(&service, &FORGED);
    assert_eq!(recorded(service), ["127.0.0.1"]);
}

#[test]
fn an_untrusted_peer_is_the_client() {
    for header in ["x-forwarded-for", "forwarded", "x-real-ip"] {
        let service = probe().env("APP__SERVER__CLIENT_ADDRESS_HEADER", header).start();
        send(&service, &FORGED);
        assert_eq!(recorded(service), ["127.0.0.1"], "{header}");
    }
}

#[test]
fn forwarded_headers_do_not_bypass_the_rate_limit() {
    // Like a stock nginx, which sets one header and forwards the others.
    let service = behind_a_proxy("x-forwarded-for").env("APP__SERVER__RATE_LIMIT__REQUESTS", "1");
    let service = service.env("APP__SERVER__RATE_LIMIT__WINDOW_S", "3600").start();
    let status = |forged: &str| send(&service, &[("forwarded", forged), ("x-forwarded-for", "198.51.100.1")]);
    assert_eq!([status("for=6.6.6.1"), status("for=6.6.6.2")], [404, 429]);
}

#[test]
fn clients_cannot_forge_the_event_url() {
    for transactions in ["0", "0.000001"] {
        for (trusted, header, url) in [
            ("192.0.2.1", "x-forwarded-for", "http://127.0.0.1"),
            ("127.0.0.1", "none", "http://127.0.0.1"),
            ("127.0.0.1", "x-forwarded-for", "https://evil.example"),
        ] {
            let project = Bugsink::shared().project();
            let service = probe_with(&project).env("APP__SERVER__TRUSTED_PROXIES", trusted);
            let service = service.env("APP__SENTRY__TRACES_SAMPLE_RATE", transactions);
            let service = service.env("APP__SERVER__CLIENT_ADDRESS_HEADER", header).start();
            // One event from the helpers, and one from the SDK.
            let script = json!({"steps": [{"do": "sdk_message", "message": "direct"}], "finish": {"error": "broken"}});
            let request = service.post("/probe/run").json(&script);
            FORGED.iter().fold(request, |request, (name, value)| request.header(name, value)).send();
            service.stop();
            let urls: Vec<String> = project.events().iter().map(|event| event["request"]["url"].to_string()).collect();
            assert_eq!(urls.len(), 2);
            assert!(urls.iter().all(|event_url| event_url.contains(url)), "{urls:?} for {trusted} {header}");
        }
    }
}

#[test]
fn unknown_address_headers_are_rejected() {
    let refused = probe().env("APP__SERVER__CLIENT_ADDRESS_HEADER", "cf-connecting-ip").run();
    assert_eq!(refused.code(), Some(78));
    assert!(refused.stderr.contains("one of x-forwarded-for, forwarded, x-real-ip, none"), "{}", refused.stderr);
}

#[test]
fn an_absolute_target_does_not_set_the_url() {
    for transactions in ["0", "1"] {
        let sentry = RecordingSentry::start(|_| "200 OK");
        let service = probe().env("SENTRY_DSN", sentry.dsn());
        let service = service.env("APP__SENTRY__TRACES_SAMPLE_RATE", transactions).start();
        let script = json!({"steps": [{"do": "sdk_message", "message": "direct"}], "finish": {"error": "broken"}});
        for host in ["http://evil.example", "https://a:b@evil.example:8443"] {
            assert_eq!(service.post(&format!("{host}/probe/run?page=2")).json(&script).send().status, 500);
        }
        assert_eq!(service.request("OPTIONS", "*").json(&script).send().status, 404);
        let url = format!("http://127.0.0.1:{}/probe/run?page=2", service.port);
        let records = service.stop().records();
        let paths: Vec<&Value> = of_kind(&records, "response").iter().map(|record| &record["url.path"]).collect();
        assert_eq!(paths, ["/probe/run", "/probe/run", "*"]);
        let urls =
            |kind| -> Vec<Value> { sentry.payloads(kind).iter().map(|it| it["request"]["url"].clone()).collect() };
        assert_eq!(urls("event"), [url.as_str(); 4], "{transactions}");
        let root = url.replace("/probe/run?page=2", "/*");
        let expected = if transactions == "1" { vec![url.as_str(), &url, &root] } else { vec![] };
        assert_eq!(urls("transaction"), expected);
    }
}
