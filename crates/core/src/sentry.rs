//! Adds Sentry to the sinks. This is the only file that depends on the feature `sentry`.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use actix_web::http::header::{HeaderMap, HeaderName};
use cyanotype_telemetry::request::CallerTrace;
use cyanotype_telemetry::{Policy, Sinks};

use crate::settings::Settings;

const SENTRY_TRACE: HeaderName = HeaderName::from_static("sentry-trace");

/// Whether this build includes the Sentry sink.
pub const SENTRY_COMPILED_IN: bool = cfg!(feature = "sentry");

/// The middleware that starts and finishes a transaction for each request.
#[cfg(feature = "sentry")]
pub(crate) type Transactions = sentry_actix::Sentry;
#[cfg(not(feature = "sentry"))]
pub(crate) type Transactions = actix_web::middleware::Identity;

/// The logging policy that these settings configure.
#[must_use]
pub fn policy(settings: &Settings) -> Policy {
    let has_destination = settings.sentry.dsn.is_some() || settings.sentry.spotlight(settings.env).is_some();
    Policy::new(&settings.telemetry(), SENTRY_COMPILED_IN && has_destination)
}

/// The sinks of a service: stderr, and Sentry when a DSN or Spotlight is set. Sentry opens no connection while the mode excludes it.
pub(crate) fn sinks(settings: &Settings) -> Sinks {
    let telemetry = settings.telemetry();
    #[cfg(feature = "sentry")]
    if policy(settings).sentry {
        use std::sync::Arc;

        let stderr = Arc::new(cyanotype_telemetry::StderrSink::start(&telemetry));
        let sinks = Sinks::none().record(stderr.clone());
        return match cyanotype_sentry::SentrySink::start(&telemetry, stderr) {
            Some(sentry) => sinks.event(Arc::new(sentry)),
            None => sinks,
        };
    }
    Sinks::stderr(&telemetry)
}

/// The middleware that starts and finishes a transaction for each request, when transactions are sampled.
pub(crate) fn transactions(settings: &Settings) -> Option<Transactions> {
    #[cfg(feature = "sentry")]
    if settings.sentry.has_transactions() && policy(settings).sentry {
        // The error middleware reports failures.
        let layer = sentry_actix::Sentry::builder().capture_server_errors(false).start_transaction(true).finish();
        return Some(layer);
    }
    let _ = settings;
    None
}

/// Sets the header from which sentry-actix continues the caller's trace: it does not read `traceparent`, and accepts malformed ids.
pub(crate) fn set_trace_header(headers: &mut HeaderMap, follows_caller: bool) {
    let mut trace = CallerTrace::from_headers(|name| headers.get_all(name));
    if !follows_caller {
        trace.sampled = None;
    }
    headers.remove(SENTRY_TRACE);
    if let Some(value) = trace.to_sentry_trace().and_then(|value| value.try_into().ok()) {
        headers.insert(SENTRY_TRACE, value);
    }
}

/// Sends one event and waits for Sentry's response; returns the event as it was sent.
#[cfg(feature = "sentry")]
pub(crate) fn send_test_event(settings: &Settings) -> Result<serde_json::Value, String> {
    cyanotype_sentry::send_test_event(&settings.telemetry())
}

/// Fails, because this build has no Sentry sink.
#[cfg(not(feature = "sentry"))]
pub(crate) fn send_test_event(_: &Settings) -> Result<serde_json::Value, String> {
    Err("this build has no Sentry sink: rebuild with the feature `sentry`".into())
}

/// What a check of the connection to Sentry found.
pub(crate) struct Connection {
    /// What was found, without the key.
    pub found: String,
    /// What to do; `None` if nothing.
    pub remedy: Option<String>,
    /// Whether Sentry would accept an event.
    pub works: bool,
}

/// Checks name, connection, TLS and key of the DSN; no event is stored.
#[cfg(feature = "sentry")]
pub(crate) fn check_connection(settings: &Settings) -> Connection {
    let cyanotype_sentry::ConnectionCheck { found, remedy, works } =
        cyanotype_sentry::check_connection(&settings.telemetry());
    Connection { found, remedy, works }
}

/// Fails, because this build has no Sentry sink.
#[cfg(not(feature = "sentry"))]
pub(crate) fn check_connection(_: &Settings) -> Connection {
    let remedy = Some("build it with the feature `sentry`".into());
    Connection { found: "this build has no Sentry sink".into(), remedy, works: false }
}

/// The events in a spool.
pub(crate) struct SpoolContent {
    pub events: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// When the oldest was stored.
    pub oldest: Option<SystemTime>,
    /// Number of damaged files.
    pub quarantined: u64,
}

/// Reads the directory of a spool.
#[cfg(feature = "sentry")]
pub(crate) fn spool_content(directory: &Path) -> io::Result<SpoolContent> {
    let cyanotype_sentry::SpoolContent { events, bytes, oldest, quarantined } =
        cyanotype_sentry::SpoolContent::read(directory)?;
    Ok(SpoolContent { events, bytes, oldest, quarantined })
}

/// There is none, because this build has no Sentry sink.
#[cfg(not(feature = "sentry"))]
pub(crate) fn spool_content(_: &Path) -> io::Result<SpoolContent> {
    Ok(SpoolContent { events: 0, bytes: 0, oldest: None, quarantined: 0 })
}
