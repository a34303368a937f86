//! The options of the SDK's client.

use cyanotype_telemetry::Settings;
use sentry::{ClientOptions, MaxRequestBodySize};

use crate::direct;
use crate::gate::Gate;

/// The SDK needs a DSN, also where only Spotlight gets events.
const SPOTLIGHT_ONLY_DSN: &str = "http://spotlight@localhost/0";

/// The SDK's options; `None` if the DSN is invalid, or neither a DSN nor Spotlight is set.
pub(crate) fn options(settings: &Settings, gate: Gate) -> Option<ClientOptions> {
    let traces_sample_rate = settings.sentry.traces_sample_rate;
    let without_dsn = || settings.sentry.spotlight(settings.env).map(|_| SPOTLIGHT_ONLY_DSN);
    let dsn: sentry::types::Dsn = settings.sentry.dsn.as_deref().or_else(without_dsn)?.parse().ok()?;
    let traces = gate.clone();
    let ignored = settings.sentry.ignored_types();
    let environment = settings.sentry.environment.clone().unwrap_or_else(|| settings.env.as_str().to_owned());
    let mut options = ClientOptions::new()
        .dsn(&dsn.to_string())
        .environment(environment)
        // Nothing is sampled while the policy sends nothing, whatever the caller decided.
        .traces_sampler(
            move |context| {
                if traces.allows() { context.sampled().map_or(traces_sample_rate, f32::from) } else { 0.0 }
            },
        )
        .max_breadcrumbs(settings.sentry.max_breadcrumbs)
        // Request bodies may contain passwords. The response log records them, redacted, if configured.
        .max_request_body_size(MaxRequestBodySize::None)
        .send_default_pii(false)
        // Applies also to events captured with the SDK directly.
        .before_send(move |event| (gate.allows() && direct::claim(&event, &ignored)).then_some(event));
    if let Some(name) = settings.sentry.server_name() {
        options = options.server_name(name);
    }
    if let Some(release) = &settings.sentry.release {
        options = options.release(release.clone());
    }
    Some(options)
}
