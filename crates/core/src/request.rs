//! What is known of the request in hand: its ids, its breadcrumbs, and what it has already reported.
//!
//! It travels with the request's future, whatever thread, span or `.await` that passes through; outside a request there
//! is none.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderName};
use cyanotype_redact::Redactor;
use uuid::Uuid;
use uuid::fmt::Simple;

use crate::failure::is_same;
use crate::http::asked::Asked;
use crate::http::client_address::ClientAddresses;
use crate::pipeline::Pipeline;
use crate::record::{Crumb, Event, EventId};
use crate::sentry::RequestHub;

/// The header of a request's id, in requests and answers.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static SENTRY_TRACE: HeaderName = HeaderName::from_static("sentry-trace");

tokio::task_local! {
    static CURRENT: Arc<RequestContext>;
}

/// The request that the calling code works for, if any.
pub(crate) fn current() -> Option<Arc<RequestContext>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// The same, looked at where it is.
pub(crate) fn with_current<R>(f: impl FnOnce(&Arc<RequestContext>) -> R) -> Option<R> {
    CURRENT.try_with(f).ok()
}

/// Runs a future as work for this request: it is the current one, and the SDK's hub is its own.
pub(crate) fn scope<F: Future>(context: Arc<RequestContext>, future: F) -> impl Future<Output = F::Output> {
    let bound = context.hub.bind(future);
    CURRENT.scope(context, bound)
}

/// Runs a closure as work for this request, where it is not that already.
pub(crate) fn sync_scope<R>(context: &Arc<RequestContext>, f: impl FnOnce() -> R) -> R {
    if with_current(|current| Arc::ptr_eq(current, context)).unwrap_or_default() {
        return f();
    }
    CURRENT.sync_scope(Arc::clone(context), || context.hub.run(f))
}

#[derive(Debug)]
pub(crate) struct RequestContext {
    /// The caller's, or a new one.
    pub id: String,
    /// The caller's trace, or one that begins here as soon as somebody asks for it.
    trace_id: OnceLock<Uuid>,
    pub hub: RequestHub,
    pub asked: Asked,
    blueprint: OnceLock<&'static str>,
    /// The pattern that the path fits.
    route: OnceLock<Option<String>>,
    trail: Mutex<Trail>,
    reports: Mutex<Reports>,
    /// Whether work for it may go on when it has been answered.
    goes_on: AtomicBool,
    /// Whether the answer is another one for another caller.
    depends_on_caller: AtomicBool,
    /// Whether the content of its body is for no record.
    body_is_secret: AtomicBool,
}

/// The newest breadcrumbs, up to a cap.
#[derive(Debug, Default)]
pub(crate) struct Trail(VecDeque<Crumb>);

impl Trail {
    pub fn push(&mut self, crumb: Crumb, cap: usize) {
        while self.0.len() >= cap.max(1) {
            self.0.pop_front();
        }
        if cap > 0 {
            self.0.push_back(crumb);
        }
    }

    pub fn crumbs(&self) -> Vec<Crumb> {
        self.0.iter().cloned().collect()
    }
}

#[derive(Debug, Default)]
struct Reports {
    made: Vec<Report>,
    /// Events of failures that nobody caught wait for the response, their last breadcrumb.
    held: Vec<Event>,
    answered: bool,
    panic: Option<Option<EventId>>,
}

/// What one failure has already been told to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    /// The messages of each telling: one that is the end of any of them, or the other way round, is of the same failure.
    tellings: Vec<Vec<String>>,
    pub stderr: bool,
    /// Whether it was decided on an event.
    pub asked: bool,
    pub event: Option<EventId>,
}

impl Report {
    fn tells_of(&self, messages: &[String]) -> bool {
        self.tellings.iter().any(|told| is_same(told, messages))
    }
}

impl RequestContext {
    pub fn new(pipeline: &Pipeline, clients: &ClientAddresses, request: &ServiceRequest) -> Self {
        let hub = pipeline.hub();
        let trace = incoming_trace(request.headers()).or_else(|| hub.trace_id());
        let id = incoming_id(request.headers(), &pipeline.redactor);
        Self { hub, ..Self::with(id, trace, Asked::of(request, pipeline, clients)) }
    }

    pub(crate) fn with(id: Option<String>, trace: Option<Uuid>, asked: Asked) -> Self {
        Self {
            id: id.unwrap_or_else(new_id),
            trace_id: trace.map(OnceLock::from).unwrap_or_default(),
            hub: RequestHub::default(),
            asked,
            blueprint: OnceLock::new(),
            route: OnceLock::new(),
            trail: Mutex::default(),
            reports: Mutex::default(),
            goes_on: AtomicBool::new(false),
            depends_on_caller: AtomicBool::new(false),
            body_is_secret: AtomicBool::new(false),
        }
    }

    /// Shown as 32 hexadecimal digits.
    pub fn trace_id(&self) -> Simple {
        self.trace_id.get_or_init(Uuid::new_v4).simple()
    }

    pub fn blueprint(&self) -> Option<&'static str> {
        self.blueprint.get().copied()
    }

    pub fn set_blueprint(&self, name: &'static str) {
        // A blueprint's scope is entered once a request.
        let _ = self.blueprint.set(name);
    }

    /// The pattern that the path fits, once the response log has asked the router.
    pub fn route(&self) -> Option<&str> {
        self.route.get()?.as_deref()
    }

    pub fn set_route(&self, route: Option<String>) {
        // There is one response log in a request's way.
        let _ = self.route.set(route);
    }

    /// What Sentry calls the transaction: `GET /orders/{id}`.
    pub fn transaction(&self) -> Option<String> {
        self.route().map(|route| format!("{} {route}", self.asked.method))
    }

    /// Work for this request goes on beside its handler.
    pub fn go_on(&self) {
        self.goes_on.store(true, Ordering::Relaxed);
    }

    /// The answer depends on who is calling.
    pub fn set_depends_on_caller(&self) {
        self.depends_on_caller.store(true, Ordering::Relaxed);
    }

    pub fn depends_on_caller(&self) -> bool {
        self.depends_on_caller.load(Ordering::Relaxed)
    }

    /// Its body has values without the keys that would say which of them are secrets.
    pub fn withhold_body(&self) {
        self.body_is_secret.store(true, Ordering::Relaxed);
    }

    pub fn withholds_body(&self) -> bool {
        self.body_is_secret.load(Ordering::Relaxed)
    }

    /// Whether an event of this request may yet be sent: one waits for the response, or its work goes on.
    pub fn may_send(&self) -> bool {
        self.goes_on.load(Ordering::Relaxed) || !lock(&self.reports).held.is_empty()
    }

    /// Headers for a request to another process: its id, the trace that both are part of, and the client's
    /// address, in the header that `server.client_address_header` names.
    pub fn outgoing(&self) -> Vec<(&'static str, String)> {
        let span = || Uuid::new_v4().simple().to_string()[..16].to_owned();
        // Without a transaction there is no word on sampling, and the other one draws for itself.
        let sentry_trace = self.hub.sentry_trace().unwrap_or_else(|| format!("{}-{}", self.trace_id(), span()));
        let mut parts = sentry_trace.split('-').skip(1);
        let span = parts.next().map_or_else(span, str::to_owned);
        let flag = parts.next().unwrap_or("0");
        let traceparent = format!("00-{}-{span}-0{flag}", self.trace_id());
        let client = self.asked.client.and_then(|client| self.asked.client_address_header.outgoing_header(client));
        let ids = [("x-request-id", self.id.clone()), ("traceparent", traceparent), ("sentry-trace", sentry_trace)];
        ids.into_iter().chain(client).collect()
    }

    pub fn trail(&self) -> MutexGuard<'_, Trail> {
        lock(&self.trail)
    }

    /// What has been reported of a failure with these messages.
    pub fn reported(&self, messages: &[String]) -> Report {
        let reports = lock(&self.reports);
        reports.made.iter().find(|made| made.tells_of(messages)).cloned().unwrap_or_default()
    }

    /// Remembers what was told of a failure, beside what had been told of it before. `decision` is what was decided on an
    /// event, if it was asked for.
    pub fn remember(&self, messages: Vec<String>, stderr: bool, decision: Option<Option<EventId>>) {
        let mut reports = lock(&self.reports);
        let (asked, event) = (decision.is_some(), decision.flatten());
        match reports.made.iter_mut().find(|made| made.tells_of(&messages)) {
            Some(made) => {
                made.stderr |= stderr;
                made.asked |= asked;
                made.event = made.event.or(event);
                if !made.tellings.contains(&messages) {
                    made.tellings.push(messages);
                }
            }
            None => reports.made.push(Report { tellings: vec![messages], stderr, asked, event }),
        }
    }

    /// Keeps an event until the response has ended; gives it back when it already has.
    pub fn hold(&self, event: Event) -> Result<(), Box<Event>> {
        let mut reports = lock(&self.reports);
        if reports.answered {
            return Err(Box::new(event));
        }
        reports.held.push(event);
        Ok(())
    }

    /// The response has ended: the events that waited for it.
    pub fn answered(&self) -> Vec<Event> {
        let mut reports = lock(&self.reports);
        reports.answered = true;
        std::mem::take(&mut reports.held)
    }

    /// Whether a failure of this request has been reported.
    pub fn has_failed(&self) -> bool {
        !lock(&self.reports).made.is_empty()
    }

    /// Remembers that this request's work panicked, and the event that tells of it.
    pub fn set_panic(&self, event: Option<EventId>) {
        lock(&self.reports).panic = Some(event);
    }

    pub fn panic_event(&self) -> Option<EventId> {
        lock(&self.reports).panic.flatten()
    }
}

/// A panic elsewhere while one of these was held leaves it whole: each change is one push or one take.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The longest id that is taken over, in bytes.
const LONGEST_ID: usize = 128;

/// The caller's id, if it has one that records may show: 1 to 128 letters, digits and `._:/+=@-`, nothing that the redactor
/// would hide, and no second one beside it.
fn incoming_id(headers: &HeaderMap, redactor: &Redactor) -> Option<String> {
    let mut ids = headers.get_all(REQUEST_ID);
    let id = ids.next()?.to_str().ok().filter(|_| ids.next().is_none())?;
    let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/+=@-".contains(&byte));
    let fits = is_plain && (1..=LONGEST_ID).contains(&id.len()) && redactor.header(id) == id;
    fits.then(|| id.to_owned())
}

/// A version 7 id: it sorts by the millisecond it was made in. Unlike `now_v7` it shares no counter with other threads.
fn new_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut random = [0; 10];
    // The last ten bytes of a version 4 id: all of them are random but for the two bits that both versions have there.
    random.copy_from_slice(&Uuid::new_v4().as_bytes()[6..]);
    let id = uuid::Builder::from_unix_timestamp_millis(now.as_millis() as u64, &random).into_uuid();
    id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).to_owned()
}

/// The trace that the caller is part of: W3C's `traceparent`, else Sentry's `sentry-trace`.
fn incoming_trace(headers: &HeaderMap) -> Option<Uuid> {
    let header = |name: &HeaderName| headers.get(name)?.to_str().ok();
    let w3c = header(&TRACEPARENT).and_then(|text| text.split('-').nth(1));
    let trace = w3c.or_else(|| header(&SENTRY_TRACE).and_then(|text| text.split('-').next()))?;
    let is_id = trace.len() == 32 && trace.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    Uuid::try_parse(trace).ok().filter(|trace| is_id && !trace.is_nil())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn id(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(REQUEST_ID, HeaderValue::from_str(value).expect("a header"));
        }
        incoming_id(&headers, &Redactor::default())
    }

    #[test]
    fn a_callers_id_is_taken_over_when_records_may_show_it() {
        for good in ["7", "01a2051a-5ac3-7163-ae5e-95c0b385f426", "web.1:a/b+c=d@e_f", &"x".repeat(128)] {
            assert_eq!(id(&[good]).as_deref(), Some(good));
        }
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln";
        for bad in
            ["", "a b", "a\tb", "\u{e4}", "<1>", &"x".repeat(129), jwt, "bearer:abc", "4111-1111-1111-1111", "token=x"]
        {
            assert_eq!(id(&[bad]), None, "{bad}");
        }
        assert_eq!(id(&["one", "two"]), None);
    }

    fn trace(name: &'static str, value: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        incoming_trace(&headers).map(|trace| trace.simple().to_string())
    }

    fn context(headers: &HeaderMap) -> RequestContext {
        let id = incoming_id(headers, &Redactor::default());
        RequestContext::with(id, incoming_trace(headers), Asked::default())
    }

    #[test]
    fn a_callers_trace_goes_on() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(
            trace("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").as_deref(),
            Some(id)
        );
        assert_eq!(trace("sentry-trace", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7").as_deref(), Some(id));
        assert_eq!(trace("traceparent", "00-zzz-1-01"), None);
        assert_eq!(trace("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"), None);
    }

    #[test]
    fn what_another_process_is_told_can_be_read_there() {
        let here = context(&HeaderMap::new());
        let mut headers = HeaderMap::new();
        for (name, value) in here.outgoing() {
            headers.insert(HeaderName::from_static(name), value.parse().expect("it is a header's value"));
        }
        let there = context(&headers);
        assert_eq!((&there.id, there.trace_id()), (&here.id, here.trace_id()));
        headers.remove("traceparent");
        assert_eq!(context(&headers).trace_id(), here.trace_id());
    }

    #[test]
    fn a_failure_is_remembered_whoever_tells_it_first() {
        let context = context(&HeaderMap::new());
        let chain = |messages: &[&str]| messages.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>();
        let event = EventId::random();
        context.remember(chain(&["cause"]), true, None);
        context.remember(chain(&["wrapped", "cause"]), false, Some(Some(event)));
        let report = context.reported(&chain(&["wrapped", "cause"]));
        assert_eq!((report.stderr, report.event), (true, Some(event)));
        assert!(!context.reported(&chain(&["another"])).stderr);
        assert!(context.reported(&chain(&["wrapped otherwise", "cause"])).stderr);
    }
}
