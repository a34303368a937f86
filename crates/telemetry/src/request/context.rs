//! The mutable state of a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};

use super::reports::{Claim, Reports};
use super::retroactive_lines::RetroactiveLines;
use super::scopes::Scopes;
use super::{Breadcrumbs, CallerTrace, RequestIdentity, RequestParts};
use crate::capture_site::CaptureSite;
use crate::debug_token::DebugGrant;
use crate::debug_token::VerboseRequest;
use crate::delivery::Delivery;
use crate::effective::Snapshot;
use crate::outcome::RequestEnd;
use crate::record::{EventId, EventScope};
use crate::sinks::EventSink;

/// The header that carries a debug token.
pub const DEBUG_LOG_HEADER: &str = "x-debug-log";

/// A request that is being processed: its identity, its breadcrumbs, and the failures that it has reported.
///
/// Records and events refer only to its [`RequestIdentity`], because the context holds events: there is no reference cycle.
pub struct RequestContext {
    started: Instant,
    identity: Arc<RequestIdentity>,
    scopes: Scopes,
    breadcrumbs: Mutex<Breadcrumbs>,
    reports: Mutex<Reports>,
    rare: Mutex<Option<Box<RareState>>>,
    /// Whether work for the request may continue after the response.
    detached: AtomicBool,
    /// Whether its work panicked.
    panicked: AtomicBool,
    /// The effective policy when the request began.
    snapshot: Arc<Snapshot>,
    depends_on_caller: AtomicBool,
    withholds_body: AtomicBool,
    /// Whether code has set tags or a user, so that other requests need not lock `rare`.
    has_event_scope: AtomicBool,
}

/// State that few requests have, allocated on first use.
#[derive(Default)]
struct RareState {
    retroactive_lines: RetroactiveLines,
    /// A valid debug token for a route, until the request's route is known.
    debug_grant: Option<DebugGrant>,
    verbose: Option<VerboseRequest>,
    event_scope: Option<Arc<EventScope>>,
}

impl RequestContext {
    pub(crate) fn new(
        sinks: &[Arc<dyn EventSink>],
        snapshot: Arc<Snapshot>,
        id: Option<&str>,
        trace: CallerTrace,
        parts: RequestParts,
    ) -> Self {
        let started = Instant::now();
        let scopes = Scopes::begin(sinks);
        let identity = RequestIdentity::new(id, trace, parts);
        scopes.active_span().iter().for_each(|span| identity.set_span(span));
        Self {
            started,
            identity: Arc::new(identity),
            scopes,
            breadcrumbs: Mutex::default(),
            reports: Mutex::default(),
            rare: Mutex::default(),
            detached: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            snapshot,
            depends_on_caller: AtomicBool::new(false),
            withholds_body: AtomicBool::new(false),
            has_event_scope: AtomicBool::new(false),
        }
    }

    /// When the request began. Durations in records and metrics start here.
    #[must_use]
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// The part that records and events refer to.
    #[must_use]
    pub const fn identity(&self) -> &Arc<RequestIdentity> {
        &self.identity
    }

    /// Whether anything of the request may be recorded. A request that began in the mode `off` has no response record, unless
    /// flags may enable it later.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.snapshot.may_record_requests()
    }

    /// The effective policy when the request began.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(crate) const fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// A sink's scope for this request, as returned by [`EventSink::begin_request`].
    #[must_use]
    pub fn scope_of(&self, sink: &Arc<dyn EventSink>) -> Option<&crate::sinks::SinkScope> {
        self.scopes.of(sink)
    }

    /// The tags, the user, the contexts and the fingerprint that code has set so far.
    #[must_use]
    pub fn event_scope(&self) -> Option<Arc<EventScope>> {
        if !self.has_event_scope.load(Ordering::Relaxed) {
            return None;
        }
        self.rare.lock().as_ref()?.event_scope.clone()
    }

    /// Adds redacted values, which take precedence over those set before.
    pub(crate) fn merge_event_scope(&self, scope: EventScope) {
        let mut rare = self.rare.lock();
        Arc::make_mut(rare.get_or_insert_default().event_scope.get_or_insert_default()).merge(scope);
        self.has_event_scope.store(true, Ordering::Relaxed);
    }

    /// Marks that work for this request continues outside its handler, such as in a spawned task.
    pub fn mark_detached(&self) {
        self.detached.store(true, Ordering::Relaxed);
    }

    /// Marks that the request's work panicked.
    pub(crate) fn mark_panicked(&self) {
        self.panicked.store(true, Ordering::Relaxed);
    }

    /// Marks that the response depends on who the caller is, so that caches must not share it between callers.
    pub fn set_depends_on_caller(&self) {
        self.depends_on_caller.store(true, Ordering::Relaxed);
    }

    /// Whether the response depends on who the caller is.
    #[must_use]
    pub fn depends_on_caller(&self) -> bool {
        self.depends_on_caller.load(Ordering::Relaxed)
    }

    /// Excludes the body's content from records, because its secrets cannot be recognized: its values have no keys.
    pub fn withhold_body(&self) {
        self.withholds_body.store(true, Ordering::Relaxed);
    }

    /// Whether the body's content is excluded from records.
    #[must_use]
    pub fn withholds_body(&self) -> bool {
        self.withholds_body.load(Ordering::Relaxed)
    }

    /// Whether an event of this request may still be sent: one is held until the response ends, or its work may continue.
    #[must_use]
    pub fn may_still_send_event(&self) -> bool {
        self.detached.load(Ordering::Relaxed) || !self.reports.lock().held.is_empty()
    }

    /// Begins the response in the event sinks.
    pub fn begin_response(&self, status: u16) {
        self.scopes.begin_response(&self.identity, status);
    }

    /// Ends the request in the event sinks. `status` is `None` if the client left before there was a response; `body_failed` is
    /// whether the body ended with an error, which is reported later.
    pub fn end(&self, status: Option<u16>, body_failed: bool) {
        let has_panicked = self.panicked.load(Ordering::Relaxed);
        let end = RequestEnd { status, has_failed: body_failed || self.has_failed(), has_panicked };
        self.scopes.end_request(&self.identity, &end);
    }

    /// Headers for a request to another process: the request id, the trace, the client's address in the header named by
    /// `server.client_address_header`, and a debug token if this request has one.
    #[must_use]
    pub fn outgoing_headers(&self) -> Vec<(&'static str, String)> {
        let id = ("x-request-id", self.identity.id().to_owned());
        let trace = self.identity.trace_headers(self.scopes.active_span());
        let forwarded_token =
            |rare: &RareState| Some((DEBUG_LOG_HEADER, rare.verbose.as_ref()?.forwarded_token(&self.identity)));
        let debug = self.rare.lock().as_deref().and_then(forwarded_token);
        let client = self.identity.parts.forwarded_client();
        [id].into_iter().chain(trace).chain(client).chain(debug).collect()
    }

    pub(crate) fn breadcrumbs(&self) -> MutexGuard<'_, Breadcrumbs> {
        self.breadcrumbs.lock()
    }

    /// Calls a function with the stored lines that are below the log level.
    pub(crate) fn with_retroactive_lines<R>(&self, f: impl FnOnce(&mut RetroactiveLines) -> R) -> R {
        f(&mut self.rare.lock().get_or_insert_default().retroactive_lines)
    }

    pub(crate) fn set_debug_grant(&self, grant: DebugGrant) {
        self.rare.lock().get_or_insert_default().debug_grant = Some(grant);
    }

    pub(crate) fn take_debug_grant(&self) -> Option<DebugGrant> {
        self.rare.lock().as_mut()?.debug_grant.take()
    }

    pub(crate) fn set_verbose(&self, verbose: VerboseRequest) {
        self.rare.lock().get_or_insert_default().verbose = Some(verbose);
    }

    /// Claims the requested outputs of a failure, line and event, unless an earlier report of the same failure has claimed them.
    pub(crate) fn claim(&self, messages: &[String], site: Option<CaptureSite>, line: bool, event: bool) -> Claim {
        self.reports.lock().claim(messages, site, line, event)
    }

    /// Stores the id of a failure's event.
    pub(crate) fn set_event(&self, messages: &[String], site: Option<CaptureSite>, id: EventId) {
        self.reports.lock().set_event(messages, site, id);
    }

    /// Claims a failure's event for one that code captured with a sink's own SDK. Returns false if an event of this request has
    /// already reported the failure.
    pub fn claim_sdk_event(&self, messages: &[String], id: EventId) -> bool {
        let mut reports = self.reports.lock();
        let site = Some(CaptureSite::Sdk(id));
        let is_new = reports.claim(messages, site, false, true).event;
        if is_new {
            reports.set_event(messages, site, id);
        }
        is_new
    }

    /// Holds an event until the response ends.
    ///
    /// # Errors
    /// Returns the event if the response has already ended.
    pub(crate) fn hold(&self, event: Delivery) -> Result<(), Box<Delivery>> {
        let mut reports = self.reports.lock();
        if reports.ended {
            return Err(Box::new(event));
        }
        reports.held.push(event);
        Ok(())
    }

    /// Marks the response as ended; returns the events that were held until then.
    pub(crate) fn end_response(&self) -> Vec<Delivery> {
        let mut reports = self.reports.lock();
        reports.ended = true;
        std::mem::take(&mut reports.held)
    }

    /// Whether a failure of this request has been reported.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        !self.reports.lock().is_empty()
    }
}

impl std::fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestContext").field("identity", &self.identity).finish_non_exhaustive()
    }
}
