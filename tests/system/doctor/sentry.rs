//! The connection to Sentry.

use serde_json::Value;
use system_tests::peers::authority::Authority;
use system_tests::peers::bad_sentry::{BadSentry, Behaviour};
use system_tests::peers::bugsink::Bugsink;
use system_tests::peers::proxy::Proxy;
use system_tests::peers::recording_sentry::{Envelope, RecordingSentry};
use system_tests::ports;
use system_tests::scratch;

use super::{Report, Setup};

fn accepts(_: &Envelope) -> &'static str {
    "200 OK"
}

fn with(dsn: &str) -> Setup {
    Setup::new().env("SENTRY_DSN", dsn)
}

#[track_caller]
fn has(report: &Report, status: &str, parts: &[&str]) {
    report.has("sentry", status, parts);
    assert!(!report.json.to_string().contains("k3y"), "the key is not shown: {:#}", report.json);
}

#[test]
fn the_key_is_checked_and_no_event_is_stored() {
    let project = Bugsink::shared().project();
    with(&project.dsn).doctor().has("sentry", "OK", &["the key of project", "is accepted"]);
    assert_eq!(project.events(), Vec::<Value>::new());
    let (scheme, rest) = project.dsn.split_once("://").expect("a URL");
    let (key, host) = rest.split_once('@').expect("a key");
    let other: String = key.chars().rev().collect();
    let refused = with(&format!("{scheme}://{other}@{host}")).doctor();
    refused.has("sentry", "FAIL", &["127.0.0.1"]);
    assert!(!refused.json.to_string().contains(&other), "the key is not shown");
    let mode = with(&format!("{scheme}://{other}@{host}")).env("APP__LOG__MODE", "stderr").doctor();
    mode.has("sentry", "WARN", &["not used: log.mode=stderr"]);
}

#[test]
fn one_client_report_without_losses_is_sent() {
    let sentry = RecordingSentry::start(accepts);
    has(&with(&format!("http://k3y@127.0.0.1:{}/1", sentry.port())).doctor(), "OK", &["is accepted"]);
    let envelopes = sentry.envelopes();
    assert_eq!(envelopes.len(), 1);
    let report = sentry.payloads("client_report");
    assert_eq!(report.len(), 1);
    assert!(report[0]["discarded_events"].as_array().is_none_or(Vec::is_empty), "{}", report[0]);
}

#[test]
fn each_step_to_sentry_can_fail() {
    let port = ports::free();
    has(&with("https://k3y@no-such-host.invalid/1").doctor(), "FAIL", &["no-such-host.invalid"]);
    has(&with(&format!("http://k3y@127.0.0.1:{port}/1")).doctor(), "FAIL", &[&port.to_string()]);
    for (answer, status, part) in [
        ("429 Too Many Requests", "WARN", "429"),
        ("403 Forbidden", "FAIL", "is refused (403)"),
        ("404 Not Found", "FAIL", "there is no project 1"),
        ("503 Service Unavailable", "FAIL", "the server fails (503)"),
        ("302 Found", "FAIL", "answered 302"),
        ("200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT", "WARN", "s behind"),
    ] {
        let sentry = BadSentry::start(Behaviour::Respond(answer));
        has(&with(&sentry.dsn()).doctor(), status, &[part]);
    }
    let silent = BadSentry::start(Behaviour::Hang);
    let report = with(&silent.dsn()).doctor();
    has(&report, "FAIL", &["timeout"]);
    assert_eq!(report.stderr, "still checking: sentry\n");
}

#[test]
fn an_authority_is_trusted_or_not() {
    let authority = Authority::new();
    let sentry = RecordingSentry::start_tls(accepts, &authority);
    let setup = with(&format!("https://k3y@localhost:{}/1", sentry.port()));
    let report = setup.doctor();
    has(&report, "FAIL", &["https://localhost", "certificate"]);
    let remedy = report.json["checks"].to_string();
    assert!(remedy.contains("set sentry.ca_file"), "{remedy}");
    let file = setup.scratch().join("ca.pem");
    scratch::write(&file, authority.pem());
    let setup = setup.env("APP__SENTRY__CA_FILE", &file);
    has(&setup.doctor(), "OK", &["TLS is trusted", "is accepted"]);
    // A server without TLS.
    let plain = RecordingSentry::start(accepts);
    has(&with(&format!("https://k3y@localhost:{}/1", plain.port())).doctor(), "FAIL", &["https://localhost"]);
}

#[test]
fn a_proxy_is_named() {
    let sentry = RecordingSentry::start(accepts);
    let proxy = Proxy::start(sentry.port());
    let setup = with("http://k3y@sentry.example/1");
    has(&setup.env("HTTP_PROXY", proxy.url()).doctor(), "OK", &["through the proxy 127.0.0.1:"]);
    let closed = with("http://k3y@sentry.example/1").env("HTTP_PROXY", format!("http://127.0.0.1:{}", ports::free()));
    has(&closed.doctor(), "FAIL", &["through the proxy"]);
    let unusable = with(&format!("http://k3y@127.0.0.1:{}/1", sentry.port())).env("HTTP_PROXY", "socks5://127.0.0.1:1");
    has(&unusable.doctor(), "WARN", &["HTTP_PROXY has the scheme"]);
}

#[test]
fn a_missing_dsn_matters_where_records_go_to_sentry_alone() {
    Setup::new().doctor().has("sentry", "OK", &["no DSN is set"]);
    Setup::new().env("APP__LOG__MODE", "sentry").doctor().has("sentry", "WARN", &["log.mode=sentry"]);
}
