//! Shared test support: a pipeline with in-memory sinks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cyanotype_settings::Loader;
use cyanotype_telemetry::memory::MemorySink;
use cyanotype_telemetry::request::{CallerTrace, RequestContext, RequestParts};
use cyanotype_telemetry::{Hooks, Pipeline, Sinks};
use serde_json::Value;

use crate::settings::Settings;

/// Maximum wait for the symbolizer thread on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A pipeline and its sinks. The pipeline is leaked, because the middleware borrows it for the life of the process.
pub(crate) struct Fixture {
    pub pipeline: &'static Pipeline,
    sinks: MemorySink,
}

/// The output of the sinks since the last call of [`Fixture::output`].
pub(crate) struct SinkOutput {
    /// The lines, parsed.
    pub lines: Vec<Value>,
    pub events: Vec<SentEvent>,
}

/// An event as received by the event sink.
#[derive(Debug)]
pub(crate) struct SentEvent {
    /// Category and message of each breadcrumb.
    pub crumbs: Vec<(String, String)>,
}

/// The default settings, with these changes.
pub(crate) fn settings(own: &[(&str, &str)]) -> Settings {
    let loader = Loader::<Settings>::new("/no/config/here");
    let loader = own.iter().fold(loader, |loader, (key, value)| loader.flag(key, value, "the test"));
    loader.load().expect("these settings are valid").sections
}

impl Fixture {
    /// A pipeline with these settings.
    pub(crate) fn new(own: &[(&str, &str)]) -> Self {
        let sinks = MemorySink::default();
        let all = Sinks::none().record(Arc::new(sinks.clone())).event(Arc::new(sinks.clone()));
        let pipeline = Box::leak(Box::new(Pipeline::new(&settings(own).telemetry(), Hooks::default(), all)));
        Self { pipeline, sinks }
    }

    /// A request with this id.
    pub(crate) fn request(&self, id: &str) -> Arc<RequestContext> {
        Arc::new(self.pipeline.begin_request(Some(id), CallerTrace::default(), RequestParts::default()))
    }

    /// The output of the sinks since the last call, after pending stacks are resolved.
    pub(crate) fn output(&self) -> SinkOutput {
        self.pipeline.wait_for_stacks(Instant::now() + LIMIT);
        let (lines, events) = self.sinks.take();
        SinkOutput { lines, events: events.iter().map(SentEvent::read).collect() }
    }
}

impl SentEvent {
    fn read(event: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let crumbs = event["breadcrumbs"].as_array().into_iter().flatten();
        Self { crumbs: crumbs.map(|crumb| (text(&crumb["category"]), text(&crumb["message"]))).collect() }
    }
}
