//! From a report to its sinks. There is one pipeline in a process; the helpers, the wrapper and the subscriber feed it.

mod changes;
mod debug_request;
mod decision;
#[cfg(test)]
pub(crate) mod fixture;
mod flags;
mod response;
mod retroactive;
mod shutdown;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use arc_swap::Guard;
use cyanotype_redact::Redactor;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::debug_token::DebugTokens;
use crate::delivery::Delivery;
use crate::effective::{Current, EffectivePolicy, EffectiveValues, Origin, Snapshot};
use crate::failure::Failure;
use crate::filter::Filter;
use crate::flood::{Fingerprint, FloodLimiter, SuppressedCount};
use crate::level::Level;
use crate::load_shedding::LoadShedding;
use crate::losses::Losses;
use crate::policy::{Kind, Policy, ToSentry};
use crate::record::{Breadcrumb, Event, EventId, Record, RecordedBreadcrumb};
use crate::report::Report;
use crate::request::{self, Breadcrumbs, Claim, RequestContext, RequestParts};
use crate::sampling;
use crate::settings::Settings;
use crate::sinks::{EventSink, LineSink, Scope, Sinks};
use crate::symbolizer::{Job, Symbolizer};

use decision::decide;

/// Sees each breadcrumb before it is stored for event sinks; may change it, or drop it with `None`.
pub type BeforeBreadcrumb = Box<dyn Fn(Breadcrumb) -> Option<Breadcrumb> + Send + Sync>;

static PIPELINE: OnceLock<Pipeline> = OnceLock::new();

/// The process's pipeline, once it has been [started](crate::start).
#[must_use]
pub fn pipeline() -> Option<&'static Pipeline> {
    PIPELINE.get()
}

/// Takes reports, asks the table, and hands records and events to the sinks.
pub struct Pipeline {
    /// The redactor of all sinks.
    pub redactor: Arc<Redactor>,
    effective: EffectivePolicy,
    filter: Arc<Filter>,
    /// `None` when no key of debug tokens is set.
    debug_tokens: Option<Arc<DebugTokens>>,
    /// `log.on_failure.max_bytes`.
    max_earlier_bytes: usize,
    /// One change after the other reaches the sinks.
    changing: Mutex<()>,
    policy_changed: Notify,
    max_breadcrumbs: usize,
    before_breadcrumb: Option<BeforeBreadcrumb>,
    sinks: Sinks,
    symbolizer: Symbolizer,
    floods: FloodLimiter,
    load_shedding: LoadShedding,
    /// The breadcrumbs of what happens outside of requests.
    breadcrumbs: Mutex<Breadcrumbs>,
}

impl Pipeline {
    /// Makes the process's pipeline of these sinks. The first call of a process wins.
    pub(crate) fn install(
        settings: &Settings,
        before_breadcrumb: Option<BeforeBreadcrumb>,
        sinks: Sinks,
    ) -> &'static Self {
        PIPELINE.get_or_init(|| {
            let report = |suppressed| {
                if let Some(pipeline) = pipeline() {
                    pipeline.report_suppressed(suppressed);
                }
            };
            Self::with_flood_reports(settings, before_breadcrumb, sinks, report)
        })
    }

    /// A pipeline that neither the helpers nor the subscriber feed, for tests. What a flood limit suppresses is reported when
    /// it [finishes](Self::finish).
    #[must_use]
    pub fn new(settings: &Settings, before_breadcrumb: Option<BeforeBreadcrumb>, sinks: Sinks) -> Self {
        Self::with_flood_reports(settings, before_breadcrumb, sinks, drop)
    }

    fn with_flood_reports(
        settings: &Settings,
        before_breadcrumb: Option<BeforeBreadcrumb>,
        sinks: Sinks,
        report_suppressed: impl Fn(SuppressedCount) + Send + 'static,
    ) -> Self {
        let effective = EffectivePolicy::new(settings, !sinks.events.is_empty());
        sinks.apply(&effective.load_full());
        Self {
            filter: Filter::new(effective.load().min_level),
            debug_tokens: DebugTokens::new(&settings.log),
            max_earlier_bytes: settings.log.on_failure.max_bytes,
            effective,
            changing: Mutex::default(),
            policy_changed: Notify::new(),
            redactor: Arc::new(settings.log.redactor()),
            max_breadcrumbs: settings.sentry.max_breadcrumbs,
            before_breadcrumb,
            symbolizer: Symbolizer::start(sinks.clone()),
            sinks,
            floods: FloodLimiter::start(&settings.log.flood, report_suppressed),
            load_shedding: LoadShedding::new(settings.log.flood.window()),
            breadcrumbs: Mutex::default(),
        }
    }

    /// The context of a request that has just come. Without an id or a trace of the caller it gets new ones.
    #[must_use]
    pub fn begin_request(&self, id: Option<&str>, trace: Option<Uuid>, parts: RequestParts) -> RequestContext {
        self.begin_request_with(id, trace, |_| parts)
    }

    /// The same, with the parts that the effective policy of this moment needs.
    #[must_use]
    pub fn begin_request_with(
        &self,
        id: Option<&str>,
        trace: Option<Uuid>,
        parts: impl FnOnce(&Snapshot) -> RequestParts,
    ) -> RequestContext {
        let snapshot = self.effective.load_cached();
        let sinks: &[_] = if snapshot.may_yet_send() { &self.sinks.events } else { &[] };
        let parts = parts(&snapshot);
        RequestContext::new(sinks, snapshot, id, trace, parts)
    }

    /// The effective policy of this moment, for a record of this request.
    pub(crate) fn snapshot_for<'a>(&self, request: &'a RequestContext) -> Current<'a> {
        self.effective.load_or(request.snapshot())
    }

    /// The effective policy of this moment. Load it once for each record.
    #[must_use]
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.effective.load()
    }

    /// The table's inputs for a record of no blueprint, module or route.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.snapshot().policy()
    }

    /// The event sinks; none when the table sends them nothing.
    fn event_sinks(&self, policy: &Policy) -> &[Arc<dyn EventSink>] {
        if policy.has_sentry() { &self.sinks.events } else { &[] }
    }

    /// The level below which `tracing` need not pass anything on.
    pub(crate) fn filter(&self) -> Level {
        self.filter.load()
    }

    /// Whether a logger line of this level and target is recorded.
    pub(crate) fn wants_line(&self, level: Level, target: &str) -> bool {
        let snapshot = self.snapshot();
        let wants = |request: Option<&RequestContext>| {
            let origin = Origin { is_line: true, ..Origin::new(request.map(|it| &**it.identity()), target) };
            // Below it, a request's lines may be stored for the case that it fails.
            let stored = snapshot.on_failure().filter(|_| request.is_some());
            let level_in_force = snapshot.values_for(&origin).policy.level;
            level >= stored.map_or(level_in_force, |stored| stored.min(level_in_force))
        };
        request::with_current(|request| wants(Some(request))).unwrap_or_else(|| wants(None))
    }

    /// Sends a report where the table says, once. Returns the id of its failure's event if any sink accepted that.
    pub fn report(&self, mut report: Report) -> Option<EventId> {
        let request = request::current();
        let request = request.as_deref();
        let in_force = self.values_for(&report, request);
        let EffectiveValues { policy, .. } = in_force;
        let destinations = policy.destinations(report.kind, report.level);
        if let (Kind::Uncaught, Some(request)) = (report.kind, request) {
            self.request_failed(request);
        }
        if !destinations.stderr && destinations.sentry == ToSentry::Nothing {
            if let Some(request) = request.filter(|_| self.stores_earlier_line(&policy, &report)) {
                self.store_earlier_line(report, request);
            }
            return None;
        }
        if report.kind == Kind::Line && !policy.line_reports_failure(report.level) {
            report.failure = None;
        }
        let report = report.redacted(&self.redactor);

        let messages = report.failure.as_ref().map(Failure::messages);
        let wants_event = destinations.sentry == ToSentry::Event && !self.sinks.events.is_empty();
        let claim = match (request, &messages) {
            (Some(request), Some(messages)) => request.claim(messages, destinations.stderr, wants_event),
            _ => Claim { line: destinations.stderr, event: wants_event, event_id: None },
        };
        let allowed = self.allows(&report, request, claim);
        let accepting = if claim.event && allowed { self.accepting(&in_force, request) } else { Vec::new() };
        let decision = decide(destinations, claim, messages.is_some(), allowed, !accepting.is_empty());

        let event_id = claim.event_id.or_else(|| decision.send_event.then(EventId::random));
        if let Some(request) = request {
            if let (true, Some(messages), Some(id)) = (decision.send_event, &messages, event_id) {
                request.set_event(messages, id);
            }
            if report.failure.as_ref().is_some_and(|failure| failure.panic) {
                request.set_panic(event_id);
            }
        }

        let at = Timestamp::now();
        let id = event_id.filter(|_| decision.send_event);
        let delivery = id.map(|id| Delivery { event: self.event(id, at, &report, request), to: accepting });
        if decision.store_breadcrumb {
            self.store(request, report.to_breadcrumb(at));
        }
        if decision.write_line {
            self.write(report.into_record(at, request.map(RequestContext::identity), event_id, decision.with_stack));
        }
        if let Some(delivery) = delivery {
            self.send(delivery, request);
        }
        event_id
    }

    /// The values in effect for a report.
    fn values_for(&self, report: &Report, request: Option<&RequestContext>) -> EffectiveValues {
        let is_line = report.kind == Kind::Line;
        // A breadcrumb's target is its category, which is no module.
        let target = if report.kind == Kind::Breadcrumb { "" } else { &report.target };
        let identity = request.map(|it| &**it.identity());
        let snapshot = self.snapshot();
        let mut in_force = match is_line {
            true => snapshot.values_for(&Origin { is_line, ..Origin::new(identity, target) }),
            false => snapshot.values_for_request(identity, target),
        };
        in_force.policy.level = report.threshold.unwrap_or(in_force.policy.level);
        in_force
    }

    /// The event sinks that one more event goes to, each with its scope of the request; none when it is sampled out.
    fn accepting(
        &self,
        in_force: &EffectiveValues,
        request: Option<&RequestContext>,
    ) -> Vec<(Arc<dyn EventSink>, Option<Scope>)> {
        if !sampling::draws(in_force.event_sample_rate) {
            return Vec::new();
        }
        let sinks = self.event_sinks(&in_force.policy).iter();
        sinks.map(|sink| (Arc::clone(sink), request.and_then(|it| it.scope_of(sink).cloned()))).collect()
    }

    /// Whether the flood limit lets a report pass. It always lets messages pass: code asked for each of them.
    fn allows(&self, report: &Report, request: Option<&RequestContext>, claim: Claim) -> bool {
        let nothing_to_limit = !claim.event && (!claim.line || report.failure.is_none());
        if report.kind == Kind::Message || nothing_to_limit {
            return true;
        }
        let first = report.failure.as_ref().map(Failure::first);
        let fingerprint = Fingerprint {
            type_name: first.map_or_else(|| report.target.clone(), |link| link.type_name.clone()),
            message: first.map_or_else(|| report.message.clone(), |link| link.message.clone()),
            route: request.and_then(|request| request.identity().transaction()),
            outage: false,
        };
        let record = (claim.line && first.is_some()).then_some(report.kind);
        if report.failure.as_ref().is_some_and(|failure| failure.outage) {
            // Every request fails of it, whatever its route: one report is enough.
            let fingerprint = Fingerprint { route: None, outage: true, ..fingerprint };
            return self.floods.allow_up_to(1, fingerprint, record, claim.event);
        }
        self.floods.allow(fingerprint, record, claim.event)
    }

    /// Reports how often a failure was suppressed.
    fn report_suppressed(&self, suppressed: SuppressedCount) {
        let SuppressedCount { fingerprint, records, events } = suppressed;
        let place = fingerprint.route.as_deref().map(|route| format!(" on {route}")).unwrap_or_default();
        let message = format!("suppressed: more of {}: {}{place}", fingerprint.type_name, fingerprint.message);
        let mut report = Report::new(Kind::Message, Level::Warning, "cyanotype::flood", message)
            .with("exception.type", fingerprint.type_name)
            .with("exception.message", fingerprint.message);
        if let Some(route) = fingerprint.route {
            report = report.with("transaction", route);
        }
        let policy = self.policy();
        if !records.is_empty() && !policy.is_silent() {
            let losses = Losses(records);
            self.sinks.write(&Record::of_losses(&losses, report.message.as_str(), report.data.clone()));
        }
        let accepting = self.event_sinks(&policy).iter().map(|sink| (Arc::clone(sink), None)).collect::<Vec<_>>();
        if events > 0 && !accepting.is_empty() {
            let report = report.with("suppressed", events);
            let event = self.event(EventId::random(), Timestamp::now(), &report, None);
            self.send(Delivery { event, to: accepting }, None);
        }
    }

    /// The event as it is now: breadcrumbs that come later are not its own, save the response of a failure nobody caught.
    fn event(&self, id: EventId, at: Timestamp, report: &Report, request: Option<&RequestContext>) -> Event {
        Event {
            id,
            at,
            level: report.level,
            target: report.target.clone(),
            message: (report.kind == Kind::Line || report.failure.is_none()).then(|| report.message.clone()),
            failure: report.failure.clone(),
            unhandled: report.kind == Kind::Uncaught,
            data: report.data.clone(),
            breadcrumbs: self.breadcrumbs(request),
            request: request.map(|request| Arc::clone(request.identity())),
        }
    }

    fn breadcrumbs(&self, request: Option<&RequestContext>) -> Vec<RecordedBreadcrumb> {
        match request {
            Some(request) => request.breadcrumbs().to_vec(),
            None => self.breadcrumbs.lock().to_vec(),
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

    /// Sends an event, once its stack is resolved; that of a failure nobody caught when the response has ended.
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

    /// Adds a breadcrumb to the request's, or to the process's own.
    fn store(&self, request: Option<&RequestContext>, breadcrumb: RecordedBreadcrumb) {
        match request {
            Some(request) => request.breadcrumbs().push(breadcrumb, self.max_breadcrumbs),
            None => self.breadcrumbs.lock().push(breadcrumb, self.max_breadcrumbs),
        }
    }

    /// Records a breadcrumb. For event sinks it passes the service's hook, which may change or drop it.
    pub fn breadcrumb(&self, breadcrumb: Breadcrumb) {
        let request = request::current();
        let identity = request.as_deref().map(|it| &**it.identity());
        let destinations =
            self.snapshot().values_for_request(identity, "").policy.destinations(Kind::Breadcrumb, breadcrumb.level);
        let at = Timestamp::now();
        let redacted = |breadcrumb| Report::breadcrumb(breadcrumb).redacted(&self.redactor);
        if destinations.stderr {
            let identity = request.as_deref().map(RequestContext::identity);
            self.sinks.write(&redacted(breadcrumb.clone()).into_record(at, identity, None, false));
        }
        if destinations.sentry == ToSentry::Breadcrumb {
            let stored = match &self.before_breadcrumb {
                Some(hook) => hook(breadcrumb),
                None => Some(breadcrumb),
            };
            if let Some(stored) = stored {
                self.store(request.as_deref(), redacted(stored).to_breadcrumb(at));
            }
        }
    }
}
