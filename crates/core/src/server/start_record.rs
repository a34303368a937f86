//! The record of a start or of a startup error.

use std::net::SocketAddr;
use std::time::Instant;

use cyanotype_telemetry::{Level, Pipeline, Report, write_to_stderr};

use super::error::StartError;
use super::service::Service;
use crate::api::pages;
use crate::checks::setting_warnings;
use crate::database::Database;
use crate::sentry;
use crate::settings::{Env, Mode, Settings, reachable};

/// Logs the addresses of the service and its main settings; in dev also the URLs to open next, one record each.
pub(super) fn log_startup(
    service: &Service,
    settings: &Settings,
    pipeline: &Pipeline,
    api: &[SocketAddr],
    management: &[SocketAddr],
    blueprints: &[&'static str],
    database: &Database,
) {
    let policy = pipeline.policy();
    let sinks: Vec<&str> = [("stderr", policy.has_stderr()), ("sentry", policy.has_sentry())]
        .iter()
        .filter(|(_, on)| *on)
        .map(|(name, _)| *name)
        .collect();
    let needs_sentry = matches!(policy.mode, Mode::Sentry | Mode::Both);
    let missing_sentry = match (needs_sentry && !policy.has_sentry(), sentry::SENTRY_COMPILED_IN) {
        (false, _) => None,
        (true, true) => Some("no DSN is set"),
        (true, false) => Some("built without the `sentry` feature"),
    };
    let warnings = setting_warnings(settings);
    let level = if warnings.is_empty() { Level::Info } else { Level::Warning };
    let mut report =
        Report::service(level, format!("{} {} listening on http://{}", service.name, service.version, shown(api)))
            .with("version", service.version)
            .with("address", shown(api))
            .with("management_address", shown(management))
            .with("env", settings.env.as_str())
            .with("mode", policy.mode.as_str())
            .with("log_level", policy.level.as_str())
            .with("sinks", sinks)
            .with("blueprints", blueprints.to_vec())
            .with("database", database.kind());
    if let Some(file) = database.file() {
        report = report.with("database_file", file.display().to_string());
    }
    if let Some(reason) = missing_sentry {
        report = report.with("sentry", reason);
    }
    if !warnings.is_empty() {
        report = report.with("warnings", warnings);
    }
    pipeline.report(report);
    if settings.env == Env::Dev {
        for message in urls(api, management, settings.server.docs) {
            pipeline.report(Report::service(Level::Info, message));
        }
    }
}

/// The addresses as one text.
pub(super) fn shown(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The URLs that a developer opens next, each with its name.
fn urls(api: &[SocketAddr], management: &[SocketAddr], has_docs: bool) -> Vec<String> {
    let url = |addresses: &[SocketAddr], name: &str, path: &str| {
        addresses.first().map(|address| format!("{name}: http://{}{path}", reachable(*address)))
    };
    let docs = has_docs.then(|| url(api, "API documentation", pages::UI)).flatten();
    [url(api, "API", ""), docs, url(management, "Health", "/health/ready")].into_iter().flatten().collect()
}

/// Reports why a start failed, or why the process ends without a signal. It is the result of the command, so it is written to stderr in every mode and at every level.
pub(super) fn report_fatal_error(pipeline: &Pipeline, settings: &Settings, error: &StartError, deadline: Instant) {
    // The record of a panic waits for its stack; it must precede this one.
    pipeline.finish_stacks(deadline);
    let record = Report::service(Level::Critical, error.to_string());
    if pipeline.policy().destinations(record.kind, record.level).stderr {
        pipeline.report(record);
    } else {
        write_to_stderr(record.level, &error.to_string(), Some(&settings.log.lines));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &str) -> [SocketAddr; 1] {
        [text.parse().expect("an address")]
    }

    #[test]
    fn urls_name_the_endpoints_that_are_enabled() {
        let (api, management) = (addresses("127.0.0.1:8080"), addresses("127.0.0.1:8081"));
        let all = [
            "API: http://127.0.0.1:8080",
            "API documentation: http://127.0.0.1:8080/docs",
            "Health: http://127.0.0.1:8081/health/ready",
        ];
        assert_eq!(urls(&api, &management, true), all);
        assert_eq!(urls(&api, &management, false), [all[0], all[2]]);
    }

    #[test]
    fn an_unspecified_address_is_shown_as_loopback() {
        assert_eq!(urls(&addresses("0.0.0.0:80"), &[], false), ["API: http://127.0.0.1:80"]);
        assert_eq!(urls(&addresses("[::]:80"), &[], false), ["API: http://[::1]:80"]);
    }
}
