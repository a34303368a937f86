//! The record of a start, or of why there is none.

use std::io::{self, Write};
use std::net::SocketAddr;

use cyanotype_telemetry::{Level, Pipeline, Report};

use super::error::StartError;
use super::service::Service;
use crate::database::Database;
use crate::sentry;
use crate::settings::{Mode, Settings};

/// Logs what is served where, and how it is configured.
pub(super) fn log_startup(
    service: &Service,
    settings: &Settings,
    pipeline: &Pipeline,
    api: &[SocketAddr],
    management: &[SocketAddr],
    blueprints: &[&'static str],
    database: &Database,
) {
    let shown = |addresses: &[SocketAddr]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let policy = pipeline.policy();
    let sinks: Vec<&str> = [("stderr", policy.has_stderr()), ("sentry", policy.has_sentry())]
        .iter()
        .filter(|(_, on)| *on)
        .map(|(name, _)| *name)
        .collect();
    let wants_sentry = matches!(policy.mode, Mode::Sentry | Mode::Both);
    let why_not = match (wants_sentry && !policy.has_sentry(), sentry::SENTRY_COMPILED_IN) {
        (false, _) => None,
        (true, true) => Some("no DSN is set"),
        (true, false) => Some("this build has no Sentry in it"),
    };
    let level = if settings.warnings.is_empty() { Level::Info } else { Level::Warning };
    let mut report =
        Report::service(level, format!("{} {} serves on http://{}", service.name, service.version, shown(api)))
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
    if let Some(why_not) = why_not {
        report = report.with("sentry", why_not);
    }
    if !settings.warnings.is_empty() {
        report = report.with("warnings", settings.warnings.clone());
    }
    pipeline.report(report);
}

/// Reports why there is no service, whatever the mode and the level: it is the answer to the command.
pub(super) fn report_startup_error(pipeline: &Pipeline, error: &StartError) {
    let record = Report::service(Level::Critical, error.to_string());
    if pipeline.policy().destinations(record.kind, record.level).stderr {
        pipeline.report(record);
    } else {
        let _ = writeln!(io::stderr(), "{error}");
    }
}
