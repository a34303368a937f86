//! How the service reaches Sentry: DSNs, certificate authorities, proxies; and which names it sends.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::peers::authority::Authority;
use system_tests::peers::proxy::Proxy;
use system_tests::peers::recording_sentry::{Envelope, RecordingSentry};
use system_tests::scratch::{self, Scratch};
use system_tests::service::{Running, Service};
use system_tests::{ports, wait};

use crate::support::{probe, run};

const LIMIT: Duration = Duration::from_secs(20);

fn accepts(_: &Envelope) -> &'static str {
    "200 OK"
}

/// A TLS server with an authority of its own, and the file with that.
fn tls_sentry() -> (RecordingSentry, Scratch) {
    let authority = Authority::new();
    let dir = Scratch::new("authority");
    scratch::write(&dir.join("ca.pem"), authority.pem());
    (RecordingSentry::start_tls(accepts, &authority), dir)
}

fn with_dsn(scheme: &str, port: u16) -> Service {
    probe()
        .env("SENTRY_DSN", format!("{scheme}://public@localhost:{port}/sentry/1"))
        .env("APP__SENTRY__SPOOL_DIR", "spool")
}

fn capture(service: &Running) {
    run(service.client(), json!([{"do": "capture_event", "message": "captured"}]), Value::Null);
}

#[track_caller]
fn wait_event(sentry: &RecordingSentry) -> Value {
    wait::until("the event", LIMIT, || sentry.payloads("event").into_iter().next())
}

#[track_caller]
fn wait_unavailable(service: &Running) -> String {
    let record = service.wait_record("the outage to be reported", |record| {
        record["message"].as_str().is_some_and(|it| it.starts_with("Sentry unavailable"))
    });
    record["reason"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn an_authority_of_ca_file_is_trusted() {
    let (sentry, dir) = tls_sentry();
    let service = with_dsn("https", sentry.port()).env("APP__SENTRY__CA_FILE", dir.join("ca.pem")).start();
    capture(&service);
    wait_event(&sentry);
    let head = sentry.envelopes()[0].head.to_ascii_lowercase();
    assert!(head.starts_with("post /sentry/api/1/envelope/ "), "the path of the DSN precedes: {head}");
    assert!(head.contains("\r\ncontent-type: application/x-sentry-envelope\r\n"), "{head}");
}

#[test]
fn an_unknown_authority_is_not_trusted() {
    let (sentry, _dir) = tls_sentry();
    let service = with_dsn("https", sentry.port()).start();
    capture(&service);
    let reason = wait_unavailable(&service);
    assert!(reason.contains("certificate"), "{reason}");
    assert_eq!(sentry.envelopes().len(), 0);
}

#[test]
fn an_authority_of_ssl_cert_file_is_trusted() {
    let (sentry, dir) = tls_sentry();
    let service = with_dsn("https", sentry.port()).env("SSL_CERT_FILE", dir.join("ca.pem")).start();
    capture(&service);
    wait_event(&sentry);
}

#[test]
fn an_unusable_ca_file_is_named_at_start() {
    let dir = Scratch::new("authority");
    scratch::write(&dir.join("empty.pem"), "no certificate");
    for (path, problem) in [(dir.join("missing.pem"), "No such file"), (dir.join("empty.pem"), "no certificate")] {
        let stopped = probe().env("APP__SENTRY__CA_FILE", &path).run();
        assert_eq!(stopped.code(), Some(78), "{}", stopped.stderr);
        let expected = format!("cannot use `{}`", path.display());
        let error = &stopped.stderr;
        assert!(error.contains("sentry.ca_file") && error.contains(&expected) && error.contains(problem), "{error}");
    }
}

/// Captures an event with these variables, and returns how many connections went through the proxies of https and http.
fn proxied(scheme: &str, variables: &[(&str, &str)]) -> (usize, usize) {
    let (sentry, dir) = match scheme {
        "https" => tls_sentry(),
        _ => (RecordingSentry::start(accepts), Scratch::new("authority")),
    };
    let (https, http) = (Proxy::start(sentry.port()), Proxy::start(sentry.port()));
    let mut service = with_dsn(scheme, sentry.port()).env("HTTPS_PROXY", https.url()).env("HTTP_PROXY", http.url());
    if scheme == "https" {
        service = service.env("APP__SENTRY__CA_FILE", dir.join("ca.pem"));
    }
    for (name, value) in variables {
        service = service.env(name, *value);
    }
    let service = service.start();
    capture(&service);
    wait_event(&sentry);
    (https.connections(), http.connections())
}

#[test]
fn each_scheme_uses_its_own_proxy() {
    assert_eq!(proxied("https", &[]), (1, 0));
    assert_eq!(proxied("http", &[]), (0, 1));
}

#[test]
fn hosts_in_no_proxy_are_reached_directly() {
    let port = ports::free();
    for list in ["localhost", "other.example, localhost", "*"] {
        assert_eq!(proxied("http", &[("NO_PROXY", list)]), (0, 0), "{list}");
    }
    assert_eq!(proxied("http", &[("no_proxy", &format!("localhost:{port}"))]), (0, 1), "another port");
}

#[test]
fn networks_in_no_proxy_are_reached_directly() {
    let sentry = RecordingSentry::start(accepts);
    let proxy = Proxy::start(sentry.port());
    let service = probe().env("SENTRY_DSN", sentry.dsn()).env("HTTP_PROXY", proxy.url());
    let service = service.env("NO_PROXY", "10.0.0.0/8,127.0.0.0/8").start();
    capture(&service);
    wait_event(&sentry);
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn an_unusable_proxy_is_a_warning() {
    let sentry = RecordingSentry::start(accepts);
    let service = probe().env("SENTRY_DSN", sentry.dsn()).env("HTTP_PROXY", "socks5://ada:hunter2@proxy").start();
    let record = service.wait_record("the proxy to be named", |record| {
        record["message"].as_str().is_some_and(|it| it.contains("HTTP_PROXY has the scheme SOCKS5"))
    });
    assert_eq!(record["level"], "warning");
    assert!(!service.stderr().contains("hunter2"));
    capture(&service);
    wait_event(&sentry);
}

/// The event of a service with these variables.
fn event_with(variables: &[(&str, &str)]) -> Value {
    let sentry = RecordingSentry::start(accepts);
    let mut service = probe().env("SENTRY_DSN", sentry.dsn());
    for (name, value) in variables {
        service = service.env(name, *value);
    }
    let service = service.start();
    capture(&service);
    wait_event(&sentry)
}

#[test]
fn events_have_server_name_and_dist() {
    let host = scratch::read(Path::new("/proc/sys/kernel/hostname"));
    let event = event_with(&[]);
    assert_eq!((event["server_name"].as_str(), event.get("dist")), (Some(host.trim()), None));
    let event = event_with(&[("APP__SENTRY__SERVER_NAME", "web-1"), ("APP__SENTRY__DIST", "14G60")]);
    assert_eq!((&event["server_name"], &event["dist"]), (&json!("web-1"), &json!("14G60")));
    let event = event_with(&[("APP__SENTRY__SERVER_NAME", "off")]);
    assert_eq!(event.get("server_name"), None);
}

#[test]
fn names_that_sentry_discards_are_refused_at_start() {
    let long = "x".repeat(201);
    for (variable, key, value) in [
        ("SENTRY_RELEASE", "sentry.release", "feature/x"),
        ("SENTRY_RELEASE", "sentry.release", &long),
        ("SENTRY_RELEASE", "sentry.release", ".."),
        ("SENTRY_ENVIRONMENT", "sentry.environment", "none"),
        ("SENTRY_ENVIRONMENT", "sentry.environment", "feature/x"),
        ("SENTRY_ENVIRONMENT", "sentry.environment", &long[..65]),
        ("APP__SENTRY__DIST", "sentry.dist", "a/b"),
    ] {
        let stopped = probe().env(variable, value).run();
        assert_eq!((stopped.code(), &*stopped.stdout), (Some(78), ""), "{}", stopped.stderr);
        let named = stopped.stderr.contains(key) && stopped.stderr.contains("Sentry discards events with this");
        assert!(named, "{value}: {}", stopped.stderr);
    }
}
