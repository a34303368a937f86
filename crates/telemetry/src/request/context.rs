//! The state of a request while work for it goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};
use uuid::Uuid;

use super::earlier_lines::EarlierLines;
use super::reports::{Claim, Reports};
use super::scopes::Scopes;
use super::{Breadcrumbs, RequestIdentity, RequestParts};
use crate::debug_token::DebugGrant;
use crate::debug_token::RaisedRequest;
use crate::delivery::Delivery;
use crate::effective::Snapshot;
use crate::record::EventId;
use crate::sinks::EventSink;

/// The header of a debug token.
pub const DEBUG_LOG: &str = "x-debug-log";

/// A request while work for it goes on: its identity, its breadcrumbs, and what it has reported.
///
/// Records and events hold its [`RequestIdentity`] alone, so that none of them holds what holds it.
pub struct RequestContext {
    identity: Arc<RequestIdentity>,
    scopes: Scopes,
    breadcrumbs: Mutex<Breadcrumbs>,
    reports: Mutex<Reports>,
    rare: Mutex<Option<Box<Rare>>>,
    /// Whether work for it may go on after the response.
    detached: AtomicBool,
    /// The effective policy when it began.
    snapshot: Arc<Snapshot>,
    depends_on_caller: AtomicBool,
    withholds_body: AtomicBool,
}

/// What few requests have: the others pay for its place alone.
#[derive(Default)]
struct Rare {
    earlier_lines: EarlierLines,
    /// A debug token that is valid, if the route turns out to be its own.
    debug_grant: Option<DebugGrant>,
    raised: Option<RaisedRequest>,
}

impl RequestContext {
    pub(crate) fn new(
        sinks: &[Arc<dyn EventSink>],
        snapshot: Arc<Snapshot>,
        id: Option<&str>,
        trace: Option<Uuid>,
        parts: RequestParts,
    ) -> Self {
        let scopes = Scopes::begin(sinks);
        let trace = trace.or_else(|| scopes.trace_header()?.split('-').next()?.parse().ok());
        Self {
            identity: Arc::new(RequestIdentity::new(id, trace, parts)),
            scopes,
            breadcrumbs: Mutex::default(),
            reports: Mutex::default(),
            rare: Mutex::default(),
            detached: AtomicBool::new(false),
            snapshot,
            depends_on_caller: AtomicBool::new(false),
            withholds_body: AtomicBool::new(false),
        }
    }

    /// What records and events refer to.
    #[must_use]
    pub const fn identity(&self) -> &Arc<RequestIdentity> {
        &self.identity
    }

    /// Whether anything was recorded when it began, or could yet be: its flags were not known. Another request that began in the
    /// mode `off` has no response record.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.snapshot.may_yet_record()
    }

    /// The effective policy when it began.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(crate) const fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// The scope that a sink has of this request, as its [`EventSink::begin_request`] returned it.
    #[must_use]
    pub fn scope_of(&self, sink: &Arc<dyn EventSink>) -> Option<&crate::sinks::Scope> {
        self.scopes.of(sink)
    }

    /// Work for this request goes on beside its handler.
    pub fn mark_detached(&self) {
        self.detached.store(true, Ordering::Relaxed);
    }

    /// The response differs between callers.
    pub fn set_depends_on_caller(&self) {
        self.depends_on_caller.store(true, Ordering::Relaxed);
    }

    /// Whether the response differs between callers.
    #[must_use]
    pub fn depends_on_caller(&self) -> bool {
        self.depends_on_caller.load(Ordering::Relaxed)
    }

    /// Withholds the body's content from records: it has values without the keys that would show which are secrets.
    pub fn withhold_body(&self) {
        self.withholds_body.store(true, Ordering::Relaxed);
    }

    /// Whether the body's content is withheld from records.
    #[must_use]
    pub fn withholds_body(&self) -> bool {
        self.withholds_body.load(Ordering::Relaxed)
    }

    /// Whether an event of this request may yet be sent: one waits for the response, or its work goes on.
    #[must_use]
    pub fn may_send(&self) -> bool {
        self.detached.load(Ordering::Relaxed) || !self.reports.lock().held.is_empty()
    }

    /// Headers for a request to another process: the id, the trace that both are part of, and the client's address, in the
    /// header that `server.client_address_header` names.
    #[must_use]
    pub fn outgoing(&self) -> Vec<(&'static str, String)> {
        let trace_id = self.identity.trace_id();
        let new_span = || Uuid::new_v4().simple().to_string()[..16].to_owned();
        // Without a transaction there is no decision on sampling, and the other process samples for itself.
        let sentry_trace = self.scopes.trace_header().unwrap_or_else(|| format!("{trace_id}-{}", new_span()));
        let mut parts = sentry_trace.split('-').skip(1);
        let span = parts.next().map_or_else(new_span, str::to_owned);
        let flag = parts.next().unwrap_or("0");
        let traceparent = format!("00-{trace_id}-{span}-0{flag}");
        let id = self.identity.id().to_owned();
        let ids = [("x-request-id", id), ("traceparent", traceparent), ("sentry-trace", sentry_trace)];
        let forwarded_token = |rare: &Rare| Some((DEBUG_LOG, rare.raised.as_ref()?.forwarded_token(&self.identity)));
        let debug = self.rare.lock().as_deref().and_then(forwarded_token);
        ids.into_iter().chain(self.identity.parts.forwarded_client()).chain(debug).collect()
    }

    pub(crate) fn breadcrumbs(&self) -> MutexGuard<'_, Breadcrumbs> {
        self.breadcrumbs.lock()
    }

    /// Calls a function with its lines that are below the level.
    pub(crate) fn with_earlier_lines<R>(&self, f: impl FnOnce(&mut EarlierLines) -> R) -> R {
        f(&mut self.rare.lock().get_or_insert_default().earlier_lines)
    }

    pub(crate) fn set_debug_grant(&self, grant: DebugGrant) {
        self.rare.lock().get_or_insert_default().debug_grant = Some(grant);
    }

    pub(crate) fn take_debug_grant(&self) -> Option<DebugGrant> {
        self.rare.lock().as_mut()?.debug_grant.take()
    }

    pub(crate) fn set_raised(&self, raised: RaisedRequest) {
        self.rare.lock().get_or_insert_default().raised = Some(raised);
    }

    /// Claims the line and the event of a failure, where they are wanted and no earlier report of the same failure has them.
    pub(crate) fn claim(&self, messages: &[String], line: bool, event: bool) -> Claim {
        self.reports.lock().claim(messages, line, event)
    }

    /// The event that a claim led to.
    pub(crate) fn set_event(&self, messages: &[String], id: EventId) {
        self.reports.lock().set_event(messages, id);
    }

    /// Holds an event until the response has ended.
    ///
    /// # Errors
    /// The event, when the response already has.
    pub(crate) fn hold(&self, event: Delivery) -> Result<(), Box<Delivery>> {
        let mut reports = self.reports.lock();
        if reports.ended {
            return Err(Box::new(event));
        }
        reports.held.push(event);
        Ok(())
    }

    /// The response has ended: the events that waited for it.
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

    /// This request's work panicked, and this event reports it.
    pub(crate) fn set_panic(&self, event: Option<EventId>) {
        self.reports.lock().panic = Some(event);
    }

    /// The event of the panic of this request's work.
    #[must_use]
    pub fn panic_event(&self) -> Option<EventId> {
        self.reports.lock().panic.flatten()
    }
}

impl std::fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestContext").field("identity", &self.identity).finish_non_exhaustive()
    }
}
