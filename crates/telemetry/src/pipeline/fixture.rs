//! A pipeline for one unit test, with sinks in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cyanotype_settings::Loader;
use serde_json::Value;

use super::{Hooks, Pipeline};
use crate::memory::MemorySink;
use crate::record::{RecordedBreadcrumb, ResponseRecord};
use crate::request::{CallerTrace, RequestContext, RequestParts};
use crate::settings::Settings;
use crate::sinks::Sinks;

/// How long a test waits for the symbolizer's thread on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A pipeline and its sinks. The pipeline is leaked, because the middleware requires a `'static` one.
pub(crate) struct Fixture {
    pub pipeline: &'static Pipeline,
    sinks: MemorySink,
}

/// The contents of the sinks since the last call of [`Fixture::recorded`].
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The lines, parsed.
    pub lines: Vec<Value>,
    pub events: Vec<SentEvent>,
}

/// An event, as the event sink received it.
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

/// Production settings with both sinks, and these settings.
pub(crate) fn settings(values: &[(&str, &str)]) -> Settings {
    let all = [("env", "prod"), ("log.format", "json")].into_iter().chain(values.iter().copied());
    let loader = Loader::<Settings>::new("/no/config/here");
    let loader = all.fold(loader, |loader, (key, value)| loader.flag(key, value, "the test"));
    loader.load().expect("these settings are valid").sections
}

/// A pipeline with these settings.
pub(crate) fn pipeline(values: &[(&str, &str)]) -> Fixture {
    pipeline_with_hooks(values, Hooks::default())
}

/// A pipeline with these settings and hooks.
pub(crate) fn pipeline_with_hooks(values: &[(&str, &str)], hooks: Hooks) -> Fixture {
    let settings = settings(values);
    let memory = MemorySink::default();
    let sinks = Sinks::none().record(Arc::new(memory.clone())).event(Arc::new(memory.clone()));
    let pipeline = Pipeline::new(&settings, hooks, sinks);
    Fixture { pipeline: Box::leak(Box::new(pipeline)), sinks: memory }
}

impl Fixture {
    /// A new request with this id.
    pub(crate) fn request(&self, id: &str) -> Arc<RequestContext> {
        Arc::new(self.pipeline.begin_request(Some(id), CallerTrace::default(), RequestParts::default()))
    }

    /// Ends a response under the current policy.
    pub(crate) fn end_response(&self, record: Option<&ResponseRecord<'_>>, request: &RequestContext) {
        self.pipeline.end_response(&self.pipeline.policy(), record, request);
    }

    /// The contents of the sinks since the last call, once no stack trace is pending.
    pub(crate) fn recorded(&self) -> Recorded {
        let (lines, events) = self.taken();
        Recorded { lines, events: events.iter().map(SentEvent::read).collect() }
    }

    /// The lines and events since the last call, as JSON.
    pub(crate) fn taken(&self) -> (Vec<Value>, Vec<Value>) {
        self.pipeline.wait_for_stacks(Instant::now() + LIMIT);
        self.sinks.take()
    }

    /// The lines already written, without waiting.
    pub(crate) fn written(&self) -> Vec<Value> {
        self.sinks.take().0
    }

    /// The lines for Sentry's Logs since the last call.
    pub(crate) fn logs(&self) -> Vec<Value> {
        self.sinks.take_logs()
    }

    /// The breadcrumbs of this request, or those of the current work outside requests.
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
