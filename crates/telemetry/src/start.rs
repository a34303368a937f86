use crate::panic::{self, Panics};
use crate::pipeline::{Hooks, Pipeline};
use crate::settings::Settings;
use crate::sinks::Sinks;
use crate::subscriber;

/// Starts the process's pipeline, installs the panic hook and, unless one is already installed, the `tracing` subscriber.
///
/// Further calls return the existing pipeline. Call it before any thread or runtime that may log.
pub fn start(settings: &Settings, hooks: Hooks, sinks: Sinks, panics: Panics) -> &'static Pipeline {
    let pipeline = Pipeline::install(settings, hooks, sinks);
    subscriber::install(pipeline);
    panic::install_hook(panics);
    panic::report_early(pipeline);
    pipeline
}
