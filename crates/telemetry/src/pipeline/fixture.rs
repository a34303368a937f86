//! A pipeline of its own for a unit test, with sinks in memory. Construction and outcomes are here, and nowhere else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cyanotype_settings::Loader;
use serde_json::Value;

use super::{BeforeBreadcrumb, Pipeline};
use crate::memory::MemorySink;
use crate::record::{RecordedBreadcrumb, ResponseRecord};
use crate::request::{RequestContext, RequestParts};
use crate::settings::Settings;
use crate::sinks::Sinks;

/// Jobs of the symbolizer's thread may wait this long on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A pipeline and its sinks. It is never dropped: the middleware borrows a pipeline for as long as the process lives.
pub(crate) struct Fixture {
    pub pipeline: &'static Pipeline,
    sinks: MemorySink,
}

/// What has arrived in the sinks since the last call of [`Fixture::outcome`].
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The lines, parsed.
    pub lines: Vec<Value>,
    pub events: Vec<SentEvent>,
}

/// An event as the event sink has received it.
#[derive(Debug)]
pub(crate) struct SentEvent {
    pub id: String,
    pub level: String,
    pub target: String,
    pub message: Option<String>,
    /// Type and message of each error, the outermost first.
    pub errors: Vec<(String, String)>,
    pub panicked: bool,
    pub handled: Option<bool>,
    pub data: Value,
    /// Category and message.
    pub crumbs: Vec<(String, String)>,
    pub request_id: Option<String>,
}

/// Settings of production with both sinks, and these.
pub(crate) fn settings(own: &[(&str, &str)]) -> Settings {
    let all = [("env", "prod"), ("log.format", "json")].into_iter().chain(own.iter().copied());
    let loader = Loader::<Settings>::new("/no/config/here");
    let loader = all.fold(loader, |loader, (key, value)| loader.flag(key, value, "the test"));
    loader.load().expect("these settings are valid").sections
}

/// A pipeline with these settings.
pub(crate) fn pipeline(own: &[(&str, &str)]) -> Fixture {
    pipeline_with_hook(own, None)
}

/// The same with the service's hook for breadcrumbs.
pub(crate) fn pipeline_with_hook(own: &[(&str, &str)], before_breadcrumb: Option<BeforeBreadcrumb>) -> Fixture {
    let settings = settings(own);
    let memory = MemorySink::default();
    let sinks = Sinks::none().line(Arc::new(memory.clone())).event(Arc::new(memory.clone()));
    let pipeline = Pipeline::new(&settings, before_breadcrumb, sinks);
    Fixture { pipeline: Box::leak(Box::new(pipeline)), sinks: memory }
}

impl Fixture {
    /// A request of this service, known by its id.
    pub(crate) fn request(&self, id: &str) -> Arc<RequestContext> {
        Arc::new(self.pipeline.begin_request(Some(id), None, RequestParts::default()))
    }

    /// The end of a response, by the policy of now.
    pub(crate) fn end_response(&self, record: Option<&ResponseRecord<'_>>, request: &RequestContext) {
        self.pipeline.end_response(&self.pipeline.policy(), record, request);
    }

    /// What has arrived in the sinks since the last call; waits for what is on its way.
    pub(crate) fn outcome(&self) -> Outcome {
        self.pipeline.wait_for_stacks(Instant::now() + LIMIT);
        let (lines, events) = self.sinks.take();
        Outcome { lines, events: events.iter().map(SentEvent::read).collect() }
    }

    /// The lines that are written already, whatever is on its way.
    pub(crate) fn written(&self) -> Vec<Value> {
        self.sinks.take().0
    }

    /// The breadcrumbs of this request, or those of what happens outside any.
    pub(crate) fn breadcrumbs(&self, request: Option<&RequestContext>) -> Vec<RecordedBreadcrumb> {
        self.pipeline.breadcrumbs(request)
    }
}

impl SentEvent {
    fn read(event: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let all = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let pair = |value: &Value, first: &str, second: &str| {
            (text(&value[first]).unwrap_or_default(), text(&value[second]).unwrap_or_default())
        };
        let failure = &event["failure"];
        Self {
            id: text(&event["event_id"]).unwrap_or_default(),
            level: text(&event["level"]).unwrap_or_default(),
            target: text(&event["target"]).unwrap_or_default(),
            message: text(&event["message"]),
            errors: all(&failure["chain"]).iter().map(|error| pair(error, "type", "message")).collect(),
            panicked: failure["panic"] == true,
            handled: failure.is_object().then(|| event["unhandled"] == false),
            data: event["data"].clone(),
            crumbs: all(&event["breadcrumbs"]).iter().map(|crumb| pair(crumb, "category", "message")).collect(),
            request_id: text(&event["request"]["request_id"]),
        }
    }
}
