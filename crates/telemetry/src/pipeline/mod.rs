//! The pipeline from reports to sinks. A process has one; the capture helpers, the response log, the `tracing` subscriber and
//! the panic hook send reports to it.

mod changes;
mod counts;
mod debug_request;
mod decision;
#[cfg(test)]
pub(crate) mod fixture;
mod flags;
mod hooks;
mod response;
mod retroactive;
mod shutdown;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::Guard;
use cyanotype_redact::Redactor;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::debug_token::DebugTokens;
use crate::delivery::Delivery;
use crate::effective::{Current, EffectivePolicy, EffectiveValues, RecordOrigin, Snapshot};
use crate::failure::Failure;
use crate::filter::Filter;
use crate::flood::{Fingerprint, FloodLimiter, SuppressedCount, SuppressedFailure};
use crate::ignored::IgnoredTypes;
use crate::level::Level;
use crate::losses::Losses;
use crate::policy::{Kind, Policy, ToSentry};
use crate::record::{Breadcrumb, Event, EventId, EventScope, Record, RecordedBreadcrumb};
use crate::refused_requests::RefusedRequestCounter;
use crate::report::Report;
use crate::request::{self, CallerTrace, Claim, RequestContext, RequestParts};
use crate::sampling;
use crate::settings::Settings;
use crate::sinks::{EventSink, SinkScope, Sinks};
use crate::symbolizer::{Job, Symbolizer};

use decision::decide;
pub use hooks::{BeforeBreadcrumb, BeforeSend, Hooks};

static PIPELINE: OnceLock<Pipeline> = OnceLock::new();

/// The process's pipeline, once it has been [started](crate::start).
#[must_use]
pub fn pipeline() -> Option<&'static Pipeline> {
    PIPELINE.get()
}

/// Receives reports, decides with the table which sinks receive them, and passes records and events to those sinks.
pub struct Pipeline {
    /// The redactor of all sinks.
    pub redactor: Arc<Redactor>,
    effective: EffectivePolicy,
    filter: Arc<Filter>,
    /// `None` if `log.debug_key` is unset.
    debug_tokens: Option<Arc<DebugTokens>>,
    /// `log.on_failure.max_bytes`.
    max_retroactive_bytes: usize,
    /// Serializes changes of the effective policy, so that sinks receive them in order.
    change_lock: Mutex<()>,
    policy_changed: Notify,
    max_breadcrumbs: usize,
    /// `sentry.traces_follow_caller`.
    follows_caller: bool,
    hooks: Hooks,
    ignored: IgnoredTypes,
    sinks: Sinks,
    symbolizer: Symbolizer,
    floods: FloodLimiter,
    refused_requests: RefusedRequestCounter,
    /// Whether a record has said that a breadcrumb could not be stored.
    reported_unstored: AtomicBool,
}

impl Pipeline {
    /// Creates the process's pipeline with these sinks; further calls return the existing one.
    pub(crate) fn install(settings: &Settings, hooks: Hooks, sinks: Sinks) -> &'static Self {
        PIPELINE.get_or_init(|| {
            let report = |suppressed| {
                if let Some(pipeline) = pipeline() {
                    pipeline.report_suppressed(suppressed);
                }
            };
            Self::with_flood_reports(settings, hooks, sinks, report)
        })
    }

    /// A pipeline for tests: the capture helpers and the subscriber do not use it, and suppressed failures are reported only by
    /// [`Self::finish`].
    #[must_use]
    pub fn new(settings: &Settings, hooks: Hooks, sinks: Sinks) -> Self {
        Self::with_flood_reports(settings, hooks, sinks, drop)
    }

    fn with_flood_reports(
        settings: &Settings,
        hooks: Hooks,
        sinks: Sinks,
        report_suppressed: impl Fn(SuppressedCount) + Send + 'static,
    ) -> Self {
        let effective = EffectivePolicy::new(settings, !sinks.events.is_empty());
        sinks.apply(&effective.load_full());
        Self {
            filter: Filter::new(effective.load().min_level),
            debug_tokens: DebugTokens::new(&settings.log),
            max_retroactive_bytes: settings.log.on_failure.max_bytes,
            effective,
            change_lock: Mutex::default(),
            policy_changed: Notify::new(),
            redactor: Arc::new(settings.log.redactor()),
            max_breadcrumbs: settings.sentry.max_breadcrumbs,
            follows_caller: settings.sentry.traces_follow_caller,
            hooks,
            ignored: settings.sentry.ignored_types(),
            symbolizer: Symbolizer::start(sinks.clone()),
            sinks,
            floods: FloodLimiter::start(&settings.log.flood, report_suppressed),
            refused_requests: RefusedRequestCounter::new(settings.log.flood.window()),
            reported_unstored: AtomicBool::new(false),
        }
    }

    /// The context of a new request. An id or trace that the caller did not send is generated.
    #[must_use]
    pub fn begin_request(&self, id: Option<&str>, trace: CallerTrace, parts: RequestParts) -> RequestContext {
        self.begin_request_with(id, trace, |_| parts)
    }

    /// Like [`Self::begin_request`], with the request parts that the current effective policy needs.
    #[must_use]
    pub fn begin_request_with(
        &self,
        id: Option<&str>,
        mut trace: CallerTrace,
        parts: impl FnOnce(&Snapshot) -> RequestParts,
    ) -> RequestContext {
        let snapshot = self.effective.load_cached();
        let sinks: &[_] = if snapshot.event_sinks_active_for_requests() { &self.sinks.events } else { &[] };
        let parts = parts(&snapshot);
        if !self.follows_caller {
            trace.sampled = None;
        }
        RequestContext::new(sinks, snapshot, id, trace, parts)
    }

    /// The current effective policy, for a record of this request.
    pub(crate) fn snapshot_for<'a>(&self, request: &'a RequestContext) -> Current<'a> {
        self.effective.load_or(request.snapshot())
    }

    /// The current effective policy. Load it once per record.
    #[must_use]
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.effective.load()
    }

    /// The table's inputs for a record that belongs to no blueprint, module or route.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.snapshot().policy()
    }

    /// The event sinks; none if the policy sends them nothing.
    fn event_sinks(&self, policy: &Policy) -> &[Arc<dyn EventSink>] {
        if policy.has_sentry() { &self.sinks.events } else { &[] }
    }

    /// The minimum level that `tracing` has to pass on.
    pub(crate) fn filter_level(&self) -> Level {
        self.filter.load()
    }

    /// Whether a log line of this level and target is recorded, or stored in case its request fails.
    pub(crate) fn line_enabled(&self, level: Level, target: &str) -> bool {
        let snapshot = self.snapshot();
        let is_enabled = |request: Option<&RequestContext>| {
            let origin =
                RecordOrigin { is_line: true, ..RecordOrigin::new(request.map(|it| &**it.identity()), target) };
            // A request's lines below the log level may be stored, and written if it fails.
            let on_failure = snapshot.on_failure().filter(|_| request.is_some());
            let log_level = snapshot.values_for(&origin).policy.level;
            level >= on_failure.map_or(log_level, |on_failure| on_failure.min(log_level))
        };
        request::with_current(|request| is_enabled(Some(request))).unwrap_or_else(|| is_enabled(None))
    }

    /// Records a report in the sinks that the table selects. A failure that its request has already reported is not recorded
    /// again. Returns the id of the failure's event, if an event sink accepted it.
    pub fn report(&self, mut report: Report) -> Option<EventId> {
        let request = request::current();
        let request = request.as_deref();
        let effective = self.values_for(&report, request);
        let EffectiveValues { policy, .. } = effective;
        let destinations = policy.destinations(report.kind, report.level);
        if let (Kind::Uncaught, Some(request)) = (report.kind, request) {
            self.write_retroactive_lines(request);
            if report.failure.as_ref().is_some_and(|failure| failure.panic) {
                request.mark_panicked();
            }
        }
        if !destinations.is_any() {
            if let Some(request) = request.filter(|_| self.stores_retroactively(&policy, &report)) {
                self.store_retroactive_line(report, request);
            }
            return None;
        }
        if report.kind == Kind::Line && !policy.line_reports_failure(report.level) {
            report.failure = None;
        }
        let report = report.redacted(&self.redactor).in_scope(request.and_then(RequestContext::event_scope));

        let messages = report.failure.as_ref().map(Failure::messages);
        let is_ignored = report.failure.as_ref().is_some_and(|failure| failure.is_ignored(&self.ignored));
        let is_event = destinations.sentry == ToSentry::Event && !self.sinks.events.is_empty() && !is_ignored;
        let claim = match (request, &messages) {
            (Some(request), Some(messages)) => {
                request.claim(messages, report.capture_site, destinations.stderr, is_event)
            }
            _ => Claim { line: destinations.stderr, event: is_event, event_id: None },
        };
        let allowed = self.flood_limit_allows(&report, request, claim);
        let accepting = if claim.event && allowed { self.accepting_sinks(&effective, request) } else { Vec::new() };
        let at = Timestamp::now();
        let new_event = || self.event(EventId::random(), at, &report, request);
        let event = (!accepting.is_empty()).then(new_event).and_then(|event| self.hooks.event(event));
        if event.is_none() {
            accepting.iter().for_each(|(sink, _)| sink.held_back());
        }
        let decision = decide(destinations, claim, messages.is_some(), allowed, event.is_some());

        let event_id = claim.event_id.or(event.as_ref().map(|event| event.id));
        if let (true, Some(request), Some(messages), Some(id)) = (decision.send_event, request, &messages, event_id) {
            request.set_event(messages, report.capture_site, id);
        }

        if decision.store_breadcrumb {
            self.store_breadcrumb(request, report.to_breadcrumb(at));
        }
        if decision.write_line || decision.send_log {
            let identity = request.map(RequestContext::identity);
            let record = report.into_record(at, identity, event_id, decision.with_stack);
            if decision.send_log {
                self.sinks.events.iter().for_each(|sink| sink.log(&record));
            }
            if decision.write_line {
                self.write(record);
            }
        }
        if let Some(event) = event {
            self.send(Delivery { event, to: accepting }, request);
        }
        event_id
    }

    /// The values in effect for a report.
    fn values_for(&self, report: &Report, request: Option<&RequestContext>) -> EffectiveValues {
        let is_line = report.kind == Kind::Line;
        let identity = request.map(|it| &**it.identity());
        let snapshot = self.snapshot();
        match is_line {
            true => snapshot.values_for(&RecordOrigin { is_line, ..RecordOrigin::new(identity, &report.target) }),
            false => snapshot.values_for_request(identity, &report.target),
        }
    }

    /// The event sinks that accept another event, each with its scope at this moment; none if sampling drops the event.
    fn accepting_sinks(
        &self,
        effective: &EffectiveValues,
        request: Option<&RequestContext>,
    ) -> Vec<(Arc<dyn EventSink>, Option<SinkScope>)> {
        let sinks = self.event_sinks(&effective.policy).iter();
        if !sampling::is_sampled(effective.event_sample_rate) {
            sinks.for_each(|sink| sink.sampled_out());
            return Vec::new();
        }
        sinks.map(|sink| (Arc::clone(sink), sink.capture_scope(request.and_then(|it| it.scope_of(sink))))).collect()
    }

    /// Whether the flood limit allows a report. Messages are exempt: the code requests each of them explicitly.
    fn flood_limit_allows(&self, report: &Report, request: Option<&RequestContext>, claim: Claim) -> bool {
        let is_unlimited = !claim.event && (!claim.line || report.failure.is_none());
        if report.kind == Kind::Message || is_unlimited {
            return true;
        }
        let first = report.failure.as_ref().map(Failure::first);
        let route = request.and_then(|request| request.identity().transaction());
        let fingerprint = Fingerprint {
            type_name: first.map_or(&report.target, |link| &link.type_name),
            message: first.map_or(&report.message, |link| &link.message),
            target: &report.target,
            route: route.as_deref(),
            outage: false,
            chosen: report.scope.as_ref().map_or(&[], |scope| &scope.fingerprint),
        };
        let record = (claim.line && first.is_some()).then_some(report.kind);
        if report.failure.as_ref().is_some_and(|failure| failure.outage) {
            // An outage makes requests of every route fail: one report is enough.
            let fingerprint = Fingerprint { target: "", route: None, outage: true, ..fingerprint };
            return self.floods.allow_up_to(1, fingerprint, record, claim.event);
        }
        self.floods.allow(fingerprint, record, claim.event)
    }

    /// Reports how often the flood limit suppressed a failure.
    fn report_suppressed(&self, suppressed: SuppressedCount) {
        let SuppressedCount { failure: SuppressedFailure { type_name, message, route }, records, events } = suppressed;
        let on_route = route.as_deref().map(|route| format!(" on {route}")).unwrap_or_default();
        let failure = format!("{type_name}: {message}{on_route}");
        // Without the count, so that Sentry groups these events.
        let text = format!("suppressed repeats of {failure}");
        let mut report = Report::new(Kind::Message, Level::Warning, "cyanotype::flood", text)
            .with("exception.type", type_name)
            .with("exception.message", message);
        if let Some(route) = route {
            report = report.with("transaction", route);
        }
        let policy = self.policy();
        if !records.is_empty() && policy.notice_destinations().stderr {
            let losses = Losses(records);
            let message = format!("suppressed {} repeats of {failure}", losses.total());
            self.sinks.write(&Record::losses(&losses, message, report.data.clone()));
        }
        let accepting = self.event_sinks(&policy).iter().map(|sink| (Arc::clone(sink), None)).collect::<Vec<_>>();
        if events > 0 && !accepting.is_empty() {
            let report = report.with("suppressed", events);
            let event = self.event(EventId::random(), Timestamp::now(), &report, None);
            if let Some(event) = self.hooks.event(event) {
                self.send(Delivery { event, to: accepting }, None);
            }
        }
    }

    /// The event with the breadcrumbs added so far. Those of an uncaught failure are replaced when the response ends.
    fn event(&self, id: EventId, at: Timestamp, report: &Report, request: Option<&RequestContext>) -> Event {
        Event {
            id,
            at,
            level: report.level,
            target: report.target.clone(),
            message: (report.kind == Kind::Line || report.failure.is_none()).then(|| report.message.clone()),
            failure: report.failure.clone(),
            unhandled: report.kind == Kind::Uncaught,
            location: report.location.clone(),
            spans: report.spans.clone(),
            data: report.data.clone(),
            scope: report.scope.clone(),
            breadcrumbs: self.breadcrumbs(request),
            request: request.map(|request| Arc::clone(request.identity())),
        }
    }

    fn breadcrumbs(&self, request: Option<&RequestContext>) -> Vec<RecordedBreadcrumb> {
        match request {
            Some(request) => request.breadcrumbs().to_vec(),
            None => request::with_current_breadcrumbs(|own| own.to_vec()).unwrap_or_default(),
        }
    }

    /// Writes a record, once its stack is resolved.
    fn write(&self, record: Record) {
        if record.failure.as_ref().is_some_and(|failure| failure.with_stack) {
            self.symbolizer.resolve(Job::Write(record));
        } else {
            self.sinks.write(&record);
        }
    }

    /// Sends an event, once its stack is resolved; for an uncaught failure of a request, once the response has ended.
    fn send(&self, delivery: Delivery, request: Option<&RequestContext>) {
        let delivery = match request.filter(|_| delivery.event.unhandled) {
            Some(request) => match request.hold(delivery) {
                Ok(()) => return,
                Err(delivery) => *delivery,
            },
            None => delivery,
        };
        self.symbolizer.resolve(Job::Send(delivery));
    }

    /// Adds a breadcrumb to those of the request; outside of requests, to those of the current work. Returns whether there are
    /// any: breadcrumbs of the process would mix requests whose work runs on threads without them.
    fn store_breadcrumb(&self, request: Option<&RequestContext>, breadcrumb: RecordedBreadcrumb) -> bool {
        let max = self.max_breadcrumbs;
        match request {
            Some(request) => {
                request.breadcrumbs().push(breadcrumb, max);
                true
            }
            None => request::with_current_breadcrumbs(|own| own.push(breadcrumb, max)).is_some(),
        }
    }

    /// Says once that a breadcrumb is not stored.
    fn report_unstored_breadcrumb(&self) {
        if !self.reported_unstored.swap(true, Ordering::Relaxed) {
            let message = "a breadcrumb outside requests is not stored for Sentry, nor are later ones: use `block`, `spawn` or \
                           `keep_request` for work of a request on another thread or in a task";
            self.report(Report::service(Level::Warning, message));
        }
    }

    /// Sets values for the rest of the current request.
    pub(crate) fn set_scope(&self, mut scope: EventScope) {
        request::with_current(|request| {
            scope.redact(&self.redactor);
            request.merge_event_scope(scope);
        });
    }

    /// Records a breadcrumb. Before it is stored for event sinks, the service's hook may change or drop it.
    pub fn breadcrumb(&self, breadcrumb: Breadcrumb) {
        let request = request::current();
        let identity = request.as_deref().map(|it| &**it.identity());
        let destinations =
            self.snapshot().values_for_request(identity, "").policy.destinations(Kind::Breadcrumb, breadcrumb.level);
        let at = Timestamp::now();
        let redacted = |breadcrumb| Report::breadcrumb(breadcrumb).redacted(&self.redactor);
        if destinations.stderr {
            let identity = request.as_deref().map(RequestContext::identity);
            let scope = request.as_deref().and_then(RequestContext::event_scope);
            self.sinks.write(&redacted(breadcrumb.clone()).in_scope(scope).into_record(at, identity, None, false));
        }
        if destinations.sentry == ToSentry::Breadcrumb
            && let Some(stored) = self.hooks.breadcrumb(breadcrumb)
            && !self.store_breadcrumb(request.as_deref(), redacted(stored).to_breadcrumb(at))
        {
            self.report_unstored_breadcrumb();
        }
    }
}
