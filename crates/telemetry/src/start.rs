use crate::panic::{self, Panics};
use crate::pipeline::{BeforeBreadcrumb, Pipeline};
use crate::settings::Settings;
use crate::sinks::Sinks;
use crate::subscriber;

/// Starts the process's pipeline and what feeds it: the `tracing` subscriber, unless there is one, and the panic hook.
///
/// The first call of a process wins. It must come before any runtime or thread that could report something.
pub fn start(
    settings: &Settings,
    before_breadcrumb: Option<BeforeBreadcrumb>,
    sinks: Sinks,
    panics: Panics,
) -> &'static Pipeline {
    let pipeline = Pipeline::install(settings, before_breadcrumb, sinks);
    subscriber::install(pipeline);
    panic::install_hook(panics);
    pipeline
}
