//! From a record to its sinks. There is one pipeline in a process; the helpers, the wrapper and the subscriber feed it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use cyanotype_redact::Redactor;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::capture::Breadcrumb;
use crate::failure::Failure;
use crate::flood::{Floods, Same, Suppressed};
use crate::outlets::Outlets;
use crate::record::{
    Crumb, Detail, Event, EventId, FailureDetail, Kind, Level, Policy, Record, ResponseRecord, StackRoute, ToSentry,
};
use crate::refusals::{Refusals, Refused};
use crate::request::{self, RequestContext, Trail};
use crate::resolver::{Job, Resolver};
use crate::sentry::RequestHub;
use crate::settings::Settings;
use crate::{panic, sentry, stderr, subscriber};

// Named in full, because the benchmarks include this file by its path.
#[cfg(all(test, feature = "sentry"))]
#[path = "pipeline/fixture.rs"]
pub(crate) mod fixture;
#[cfg(all(test, feature = "sentry"))]
#[path = "pipeline/tests.rs"]
mod tests;

pub(crate) type BeforeBreadcrumb = Box<dyn Fn(Breadcrumb) -> Option<Breadcrumb> + Send + Sync>;

static PIPELINE: OnceLock<Pipeline> = OnceLock::new();

/// The process's pipeline, once the service has started.
pub(crate) fn pipeline() -> Option<&'static Pipeline> {
    PIPELINE.get()
}

/// Starts the pipeline and what feeds it. The first call of a process wins, and must come before any runtime or thread
/// that could speak to Sentry.
pub(crate) fn start(
    settings: &Settings,
    before_breadcrumb: Option<BeforeBreadcrumb>,
    outlets: &Outlets,
) -> &'static Pipeline {
    let pipeline = Pipeline::install(settings, before_breadcrumb, outlets);
    subscriber::install(settings, pipeline);
    panic::install_hook(outlets);
    pipeline
}

pub(crate) struct Pipeline {
    pub policy: Policy,
    pub redactor: Arc<Redactor>,
    max_breadcrumbs: usize,
    before_breadcrumb: Option<BeforeBreadcrumb>,
    stderr: Arc<stderr::Sink>,
    sentry: Option<Arc<sentry::Sink>>,
    resolver: Resolver,
    floods: Floods,
    refusals: Refusals,
    /// The breadcrumbs of what happens outside any request.
    trail: Mutex<Trail>,
}

/// Something to be recorded.
pub(crate) struct Report {
    pub kind: Kind,
    pub level: Level,
    /// The level it must reach: `log.level`, or its module's own.
    pub threshold: Option<Level>,
    pub message: String,
    pub target: String,
    /// The spans that a logger line was said in.
    pub span: Option<String>,
    pub failure: Option<Failure>,
    /// Fields of a logger line, data of a breadcrumb or a message.
    pub data: Map<String, Value>,
}

impl Report {
    pub fn new(kind: Kind, level: Level, target: &str, message: String) -> Self {
        let target = target.to_owned();
        Self { kind, level, threshold: None, message, target, span: None, failure: None, data: Map::new() }
    }

    /// What the service says of itself.
    pub fn service(level: Level, message: impl Into<String>) -> Self {
        Self::new(Kind::Service, level, "cyanotype", message.into())
    }

    pub fn failure(kind: Kind, target: &str, failure: Failure) -> Self {
        let message = failure.first().message.clone();
        Self { failure: Some(failure), ..Self::new(kind, Level::Error, target, message) }
    }

    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }
}

impl Pipeline {
    /// The process's own.
    fn install(
        settings: &Settings,
        before_breadcrumb: Option<BeforeBreadcrumb>,
        outlets: &Outlets,
    ) -> &'static Pipeline {
        PIPELINE.get_or_init(|| Self::new(settings, before_breadcrumb, outlets))
    }

    /// Starts the sinks that the settings ask for.
    fn new(settings: &Settings, before_breadcrumb: Option<BeforeBreadcrumb>, outlets: &Outlets) -> Self {
        let policy = Policy::of(settings);
        let stderr = Arc::new(outlets.stderr(settings));
        let redactor = Arc::new(Redactor::new(&settings.log.response.redact, settings.log.redact));
        let start = || outlets.sentry(settings, Arc::clone(&stderr), Arc::clone(&redactor)).map(Arc::new);
        let sentry = policy.has_sentry().then(start);
        let resolver = Resolver::start(Arc::clone(&stderr));
        Pipeline {
            policy,
            redactor,
            max_breadcrumbs: settings.sentry.max_breadcrumbs,
            before_breadcrumb,
            stderr,
            sentry: sentry.flatten(),
            resolver,
            floods: Floods::watch(&settings.log.flood, |suppressed| {
                if let Some(pipeline) = pipeline() {
                    pipeline.tell_of(suppressed);
                }
            }),
            refusals: Refusals::new(settings.log.flood.window()),
            trail: Mutex::default(),
        }
    }

    /// Sends a report where the table says, once.
    pub fn report(&self, mut report: Report) -> Option<EventId> {
        let request = request::current();
        let policy = Policy { level: report.threshold.unwrap_or(self.policy.level), ..self.policy };
        let route = policy.route(report.kind, report.level);
        if !route.stderr && route.sentry == ToSentry::Nothing {
            return None;
        }
        self.redactor.map(&mut report.data);
        self.redactor.text_in_place(&mut report.message);
        self.redactor.text_in_place(&mut report.target);
        for link in report.failure.iter_mut().flat_map(|failure| &mut failure.chain) {
            self.redactor.text_in_place(&mut link.message);
        }

        // One failure is one record and one event, whoever reports it first.
        let messages = report.failure.as_ref().map(Failure::messages);
        let told = match (&request, &messages) {
            (Some(request), Some(messages)) => request.reported(messages),
            _ => Default::default(),
        };
        let stderr = route.stderr && !told.stderr;
        // Asked once: an event that sampling has held back is not tried again by the next report.
        let asks = self.sentry.as_ref().filter(|_| route.sentry == ToSentry::Event && !told.asked);
        let is_told = self.is_told(&report, request.as_deref(), stderr, asks.is_some());
        let sentry = asks.filter(|sentry| is_told && sentry.takes_event());
        let event_id = told.event.or_else(|| sentry.map(|_| EventId::random()));
        if let (Some(request), Some(messages)) = (&request, messages) {
            request.remember(messages, stderr, asks.map(|_| event_id));
            if report.failure.as_ref().is_some_and(|failure| failure.panic) {
                request.set_panic(event_id);
            }
        }

        let at = Timestamp::now();
        let event =
            sentry.zip(event_id).map(|(sentry, id)| (Arc::clone(sentry), self.event(id, at, &report, request.clone())));
        if route.sentry == ToSentry::Breadcrumb {
            self.keep(request.as_deref(), crumb(at, &report));
        }
        let with_stack = match route.stack {
            StackRoute::Never => false,
            StackRoute::WithLine => true,
            StackRoute::UnlessSentryTakesIt => event_id.is_none(),
        };
        // A line is a line, however often it is said; only its events are limited.
        let written = stderr && (is_told || report.failure.is_none());
        let record = written.then(|| record(at, report, request.clone(), event_id, with_stack));
        self.hand_over(record, event, request.as_deref());
        event_id
    }

    /// Whether the flood limit leaves a report to be told. What somebody asks for as an event always is.
    fn is_told(&self, report: &Report, request: Option<&RequestContext>, stderr: bool, event: bool) -> bool {
        if report.kind == Kind::Message || !stderr && !event || report.failure.is_none() && !event {
            return true;
        }
        let first = report.failure.as_ref().map(Failure::first);
        let same = Same {
            type_name: first.map_or_else(|| report.target.clone(), |link| link.type_name.clone()),
            message: first.map_or_else(|| report.message.clone(), |link| link.message.clone()),
            route: request.and_then(RequestContext::transaction),
            outage: false,
        };
        let record = (stderr && first.is_some()).then_some(report.kind);
        if report.failure.as_ref().is_some_and(|failure| failure.outage) {
            // Every request fails of it, whatever its route: the first report says all there is to say.
            return self.floods.admits_up_to(1, Same { route: None, outage: true, ..same }, record, event);
        }
        self.floods.admits(same, record, event)
    }

    /// Tells how often a failure was not told.
    fn tell_of(&self, suppressed: Suppressed) {
        let Suppressed { same, records, events } = suppressed;
        let place = same.route.as_deref().map(|route| format!(" on {route}")).unwrap_or_default();
        let message = format!("more of {}: {}{place}", same.type_name, same.message);
        let mut said = Map::new();
        said.insert("exception.type".into(), same.type_name.into());
        said.insert("exception.message".into(), same.message.into());
        if let Some(route) = same.route {
            said.insert("transaction".into(), route.into());
        }
        if !records.is_empty() {
            self.stderr.write(&stderr::loss(&records, &format!("suppressed: {message}"), said.clone()));
        }
        if let Some(sink) = self.sentry.as_ref().filter(|_| events > 0) {
            let report =
                Report::new(Kind::Message, Level::Warning, "cyanotype::flood", format!("suppressed: {message}"));
            let report = Report { data: said, ..report }.with("suppressed", events);
            let event = self.event(EventId::random(), Timestamp::now(), &report, None);
            self.hand_over(None, Some((Arc::clone(sink), event)), None);
        }
    }

    /// Counts a request that was refused for load.
    pub fn refused(&'static self, status: u16, request: &RequestContext) {
        self.refusals.count(status, request.transaction(), |refused| self.report_refused(refused));
    }

    fn report_refused(&self, refused: Refused) {
        let (message, data) = refused.shown();
        self.report(Report { data, ..Report::service(Level::Warning, message) });
    }

    /// The event as it is now: breadcrumbs that come later are not its own, save the response of a failure nobody caught.
    fn event(&self, id: EventId, at: Timestamp, report: &Report, request: Option<Arc<RequestContext>>) -> Event {
        let crumbs = match &request {
            Some(request) => request.trail().crumbs(),
            None => self.trail.lock().unwrap_or_else(PoisonError::into_inner).crumbs(),
        };
        Event {
            id,
            at,
            level: report.level,
            target: report.target.clone(),
            message: (report.kind == Kind::Line || report.failure.is_none()).then(|| report.message.clone()),
            failure: report.failure.clone(),
            unhandled: report.kind == Kind::Uncaught,
            data: report.data.clone(),
            crumbs,
            request,
        }
    }

    fn hand_over(
        &self,
        record: Option<Record>,
        event: Option<(Arc<sentry::Sink>, Event)>,
        request: Option<&RequestContext>,
    ) {
        let event = event.and_then(|(sink, event)| match request.filter(|_| event.unhandled) {
            Some(request) => request.hold(event).err().map(|event| (sink, *event)),
            None => Some((sink, event)),
        });
        if let Some(record) = record {
            match &record.failure {
                Some(failure) if failure.with_stack => self.resolver.resolve(Job::Write(record)),
                _ => self.stderr.write(&record),
            }
        }
        if let Some((sink, event)) = event {
            self.resolver.resolve(Job::Send(sink, event));
        }
    }

    /// Waits until what waits for its stack has been handed to the sinks.
    #[cfg(any(test, feature = "test"))]
    pub fn settle(&self, deadline: Instant) {
        drop(self.resolver.wait(deadline));
    }

    /// The hub of a request that has just come.
    pub fn hub(&self) -> RequestHub {
        self.sentry.as_ref().map(|sentry| sentry.hub()).unwrap_or_default()
    }

    /// Whether anybody is told of a response of this level.
    pub fn wants_response(&self, level: Level, request: &RequestContext) -> bool {
        let route = self.policy.route(Kind::Response, level);
        route.stderr || route.sentry == ToSentry::Breadcrumb && request.may_send()
    }

    /// Writes a response's record, and sends the events that waited for it.
    pub fn answered(&self, record: Option<&ResponseRecord<'_>>, request: &RequestContext) {
        if let Some(record) = record {
            let route = self.policy.route(Kind::Response, record.level);
            // Most requests have no event that could tell of it.
            if route.sentry == ToSentry::Breadcrumb && request.may_send() {
                self.keep(Some(request), response_crumb(record));
            }
            if route.stderr {
                self.stderr.write_response(record);
            }
        }
        let Some(sink) = &self.sentry else { return };
        for mut event in request.answered() {
            event.crumbs = request.trail().crumbs();
            self.resolver.resolve(Job::Send(Arc::clone(sink), event));
        }
    }

    /// Adds a breadcrumb to the request's trail, or to the process's own.
    fn keep(&self, request: Option<&RequestContext>, crumb: Crumb) {
        match request {
            Some(request) => request.trail().push(crumb, self.max_breadcrumbs),
            None => self.trail.lock().unwrap_or_else(PoisonError::into_inner).push(crumb, self.max_breadcrumbs),
        }
    }

    /// Passes a breadcrumb through the service's hook, which may change it or drop it for Sentry.
    pub fn breadcrumb(&self, breadcrumb: Breadcrumb) {
        let category = breadcrumb.category_or_default().to_owned();
        let told = |breadcrumb: Breadcrumb| Report {
            data: breadcrumb.data,
            ..Report::new(Kind::Breadcrumb, breadcrumb.level, &category, breadcrumb.message)
        };
        let route = self.policy.route(Kind::Breadcrumb, breadcrumb.level);
        let request = request::current();
        let at = Timestamp::now();
        if route.stderr {
            let mut report = told(breadcrumb.clone());
            self.redactor.map(&mut report.data);
            self.redactor.text_in_place(&mut report.message);
            self.redactor.text_in_place(&mut report.target);
            self.stderr.write(&record(at, report, request.clone(), None, false));
        }
        if route.sentry == ToSentry::Breadcrumb {
            let kept = match &self.before_breadcrumb {
                Some(hook) => hook(breadcrumb),
                None => Some(breadcrumb),
            };
            if let Some(kept) = kept {
                let mut crumb = Crumb {
                    at,
                    level: kept.level,
                    category: kept.category_or_default().to_owned(),
                    message: kept.message,
                    data: kept.data,
                };
                self.redactor.map(&mut crumb.data);
                self.redactor.text_in_place(&mut crumb.message);
                self.redactor.text_in_place(&mut crumb.category);
                self.keep(request.as_deref(), crumb);
            }
        }
    }

    /// Ends in the middle of a request: events that wait for their response wait no longer.
    pub fn end_at_once(&self, deadline: Instant) {
        if let Some(request) = request::current() {
            self.answered(None, &request);
        }
        self.finish(deadline);
    }

    /// Ends in order: stacks are resolved, Sentry is told, stderr is written; each until its share of the time is over.
    pub fn finish(&self, deadline: Instant) {
        self.floods.end_all().into_iter().for_each(|suppressed| self.tell_of(suppressed));
        self.refusals.end().into_iter().for_each(|refused| self.report_refused(refused));
        let left = |share: f64| Instant::now() + deadline.saturating_duration_since(Instant::now()).mul_f64(share);
        self.resolver.finish(left(0.3));
        if let Some(sentry) = &self.sentry {
            sentry.finish(left(0.6));
        }
        let undelivered = self.stderr.finish(deadline);
        if let Some(sentry) = self.sentry.as_ref().filter(|_| !undelivered.is_empty()) {
            // stderr cannot say it any more; the spool has it for the next start.
            sentry.keep_losses(&undelivered);
        }
    }
}

fn record(
    at: Timestamp,
    report: Report,
    request: Option<Arc<RequestContext>>,
    event_id: Option<EventId>,
    with_stack: bool,
) -> Record {
    Record {
        at,
        level: report.level,
        kind: report.kind,
        message: report.message,
        target: report.target,
        span: report.span,
        request,
        failure: report.failure.map(|failure| FailureDetail { failure, with_stack }),
        event_id,
        detail: match report.kind {
            Kind::Line => Detail::Fields(report.data),
            Kind::Service => Detail::Service(report.data),
            Kind::Breadcrumb | Kind::Message => Detail::Data(report.data),
            Kind::Exception | Kind::Uncaught | Kind::Response => Detail::None,
        },
    }
}

fn crumb(at: Timestamp, report: &Report) -> Crumb {
    Crumb {
        at,
        level: report.level,
        category: report.target.clone(),
        message: report.message.clone(),
        data: report.data.clone(),
    }
}

/// The most of a response's content that a breadcrumb carries, in bytes.
const CRUMB_CONTENT: usize = 1024;

fn response_crumb(response: &ResponseRecord<'_>) -> Crumb {
    let mut data = Map::new();
    data.insert("http.request.method".into(), (*response.method).into());
    data.insert("url.path".into(), (*response.path).into());
    if let Some(status) = response.status {
        data.insert("http.response.status_code".into(), status.into());
    }
    data.insert("http.response.body.size".into(), response.response.size.into());
    data.insert("outcome".into(), response.outcome.as_str().into());
    if let Some(content) = &response.response.content {
        let end = content.text.floor_char_boundary(CRUMB_CONTENT);
        data.insert("http.response.body.content".into(), content.text[..end].into());
    }
    Crumb { at: response.at, level: response.level, category: "response".into(), message: response.message(), data }
}
