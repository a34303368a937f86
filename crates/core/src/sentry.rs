//! Adds Sentry to the sinks. This is the only file that depends on the feature `sentry`.

use cyanotype_telemetry::{Policy, Sinks};

use crate::settings::Settings;

/// Whether this build includes the Sentry sink.
pub const SENTRY_COMPILED_IN: bool = cfg!(feature = "sentry");

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
