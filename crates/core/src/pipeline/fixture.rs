//! A pipeline of its own for a unit test, with sinks in memory. Construction and outcomes are here, and nowhere else.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use sentry::{Hub, Scope};
use serde_json::Value;

use super::{BeforeBreadcrumb, Pipeline};
use crate::http::asked::Asked;
use crate::outlets::Outlets;
use crate::record::Crumb;
use crate::request::RequestContext;
use crate::settings::{Loader, Settings};
use crate::test::Kept;

/// Jobs of the symbolizer's thread may wait this long on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A pipeline and its sinks. It is never dropped: the middleware borrows a pipeline for as long as the process lives.
pub(crate) struct Fixture {
    pub pipeline: &'static Pipeline,
    sinks: Kept,
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
    pub handled: Option<bool>,
    pub data: Value,
    /// Category and message.
    pub crumbs: Vec<(String, String)>,
    pub request_id: Option<String>,
    pub transaction: Option<String>,
}

/// Settings of production with both sinks, and these.
pub(crate) fn settings(own: &[(&str, &str)]) -> Settings {
    let fixed = [("env", "prod"), ("sentry.dsn", "http://key@sentry.invalid/1"), ("log.format", "json")];
    let all = fixed.iter().chain(own);
    let loader = all.fold(Loader::new("/no/config/here"), |loader, (key, value)| loader.flag(key, value, "the test"));
    loader.load().expect("these settings are valid")
}

/// A pipeline with these settings.
pub(crate) fn pipeline(own: &[(&str, &str)]) -> Fixture {
    pipeline_with_hook(own, None)
}

/// The same with the service's hook for breadcrumbs.
pub(crate) fn pipeline_with_hook(own: &[(&str, &str)], before_breadcrumb: Option<BeforeBreadcrumb>) -> Fixture {
    let sinks = Kept::default();
    let start = || Pipeline::new(&settings(own), before_breadcrumb, &Outlets::Kept(sinks.clone()));
    // Not the process's hub, which all tests share.
    let pipeline = Hub::run(Arc::new(Hub::new(None, Arc::new(Scope::default()))), start);
    Fixture { pipeline: Box::leak(Box::new(pipeline)), sinks }
}

impl Fixture {
    /// A request of this service, known by its id.
    pub fn request(&self, id: &str) -> Arc<RequestContext> {
        let mut context = RequestContext::with(Some(id.into()), None, Asked::default());
        context.hub = self.pipeline.hub();
        Arc::new(context)
    }

    /// What has arrived in the sinks since the last call; waits for what is on its way.
    pub fn outcome(&self) -> Outcome {
        self.pipeline.settle(Instant::now() + LIMIT);
        let (lines, events) = self.sinks.take();
        Outcome { lines, events: events.iter().map(SentEvent::read).collect() }
    }

    /// The lines that are written already, whatever is on its way.
    pub fn written(&self) -> Vec<Value> {
        self.sinks.take().0
    }

    /// The breadcrumbs of this request, or those of what happens outside any.
    pub fn breadcrumbs(&self, request: Option<&RequestContext>) -> Vec<Crumb> {
        match request {
            Some(request) => request.trail().crumbs(),
            None => self.pipeline.trail.lock().unwrap_or_else(PoisonError::into_inner).crumbs(),
        }
    }
}

impl SentEvent {
    fn read(event: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let values = |value: &Value| value["values"].as_array().cloned().unwrap_or_default();
        let pair = |value: &Value, first: &str, second: &str| {
            (text(&value[first]).unwrap_or_default(), text(&value[second]).unwrap_or_default())
        };
        let errors = values(&event["exception"]);
        Self {
            id: text(&event["event_id"]).unwrap_or_default(),
            // The protocol leaves out its default.
            level: text(&event["level"]).unwrap_or_else(|| "error".into()),
            target: text(&event["logger"]).unwrap_or_default(),
            message: text(&event["message"]),
            handled: errors.last().and_then(|error| error["mechanism"]["handled"].as_bool()),
            errors: errors.iter().rev().map(|error| pair(error, "type", "value")).collect(),
            data: event["extra"].clone(),
            crumbs: values(&event["breadcrumbs"]).iter().map(|crumb| pair(crumb, "category", "message")).collect(),
            request_id: text(&event["tags"]["request_id"]),
            transaction: text(&event["transaction"]),
        }
    }
}
