//! The identity of a request, which its records and events refer to.

mod parts;
mod trace;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arrayvec::ArrayString;
use http::header::HeaderName;
use serde::ser::{Serialize, SerializeMap, Serializer};
use uuid::Uuid;
use uuid::fmt::Simple;

use crate::flag_values::{FlagValues, RequestLogValues};
use crate::level::Level;

pub use parts::{ClientAddressHeader, RequestParts};
pub use trace::{ActiveSpan, CallerTrace, SpanId};

/// The header with the request id, in requests and responses.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The identity of a request: its id, its trace, its route, and the parts that are logged.
///
/// Records and events share it. It does not reference them, so there is no cycle.
#[derive(Debug)]
pub struct RequestIdentity {
    id: ArrayString<{ Self::MAX_ID_BYTES }>,
    /// The caller's trace id, or one that is generated when it is first read.
    trace_id: OnceLock<Uuid>,
    span_id: OnceLock<SpanId>,
    caller_trace: CallerTrace,
    blueprint: OnceLock<&'static str>,
    route: OnceLock<Option<String>>,
    /// The bits of [`RequestLogValues`]: the values of the request's debug token and flags.
    log_values: AtomicU16,
    /// The parts of the request that are logged.
    pub parts: RequestParts,
}

impl RequestIdentity {
    /// Maximum length of an id in bytes.
    pub const MAX_ID_BYTES: usize = 128;

    /// Creates an identity. An id that is missing or longer than [`Self::MAX_ID_BYTES`] is replaced with a new one; a missing
    /// trace id is generated.
    #[must_use]
    pub fn new(id: Option<&str>, caller_trace: CallerTrace, parts: RequestParts) -> Self {
        Self {
            id: id.and_then(|id| ArrayString::from(id).ok()).unwrap_or_else(new_id),
            trace_id: caller_trace.trace_id.map(OnceLock::from).unwrap_or_default(),
            span_id: OnceLock::new(),
            caller_trace,
            blueprint: OnceLock::new(),
            route: OnceLock::new(),
            log_values: AtomicU16::new(0),
            parts,
        }
    }

    /// The request id: the caller's, or a new one.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The id of the trace that the request is part of, formatted as 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> Simple {
        self.trace_id.get_or_init(Uuid::new_v4).simple()
    }

    /// The trace id, if the caller sent one or something has read it: a record, an event or an outgoing request.
    #[must_use]
    pub fn known_trace_id(&self) -> Option<Simple> {
        self.trace_id.get().map(|id| id.simple())
    }

    /// The id of the request's own span in its trace.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        *self.span_id.get_or_init(SpanId::random)
    }

    /// Takes over the ids of a span that an event sink records for the request.
    pub(crate) fn set_span(&self, span: &ActiveSpan) {
        // The sink continues the caller's trace, whose id is set already.
        let _ = self.trace_id.set(span.trace_id);
        let _ = self.span_id.set(span.id);
    }

    /// What the caller sent of the trace.
    #[must_use]
    pub const fn caller_trace(&self) -> &CallerTrace {
        &self.caller_trace
    }

    /// The blueprint that the request was routed to.
    #[must_use]
    pub fn blueprint(&self) -> Option<&'static str> {
        self.blueprint.get().copied()
    }

    /// Sets the blueprint. Later calls have no effect.
    pub fn set_blueprint(&self, name: &'static str) {
        // A request enters the scope of a blueprint once.
        let _ = self.blueprint.set(name);
    }

    /// The route pattern that matched the path, once the response log has looked it up.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.route.get()?.as_deref()
    }

    /// The result of the response log's look-up, which may be that no route matches; `None` before it.
    #[must_use]
    pub fn looked_up_route(&self) -> Option<Option<&str>> {
        self.route.get().map(Option::as_deref)
    }

    /// Sets the route pattern. Later calls have no effect.
    pub fn set_route(&self, route: Option<String>) {
        // A request passes through one response log.
        let _ = self.route.set(route);
    }

    /// The level from which the request is logged because of a debug token or a flag.
    #[must_use]
    pub fn debug_level(&self) -> Option<Level> {
        self.log_values().debug()
    }

    /// Whether a debug token or a flag sets a value for the request.
    pub(crate) fn has_log_values(&self) -> bool {
        self.log_values.load(Ordering::Relaxed) != 0
    }

    /// The values of the request's debug token and flags.
    pub(crate) fn log_values(&self) -> RequestLogValues {
        RequestLogValues::from_bits(self.log_values.load(Ordering::Relaxed))
    }

    /// Sets the level of the request's debug token.
    pub(crate) fn set_debug_level(&self, level: Level) {
        let token = RequestLogValues { token: Some(level), ..RequestLogValues::default() }.to_bits();
        self.update_log_values(RequestLogValues::FLAGS, token);
    }

    /// Replaces the values of the request's flags.
    pub(crate) fn set_flags(&self, flags: FlagValues) {
        let flags = RequestLogValues { flags, ..RequestLogValues::default() }.to_bits();
        self.update_log_values(!RequestLogValues::FLAGS, flags);
    }

    /// Keeps the bits in the mask `preserved` and sets those in `new`.
    fn update_log_values(&self, preserved: u16, new: u16) {
        // The closure always returns a value, so this cannot fail.
        let _ = self.log_values.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| Some(bits & preserved | new));
    }

    /// The method and the route, such as `GET /orders/{id}`; Sentry's transaction name.
    #[must_use]
    pub fn transaction(&self) -> Option<String> {
        self.route().map(|route| format!("{} {route}", self.parts.method))
    }
}

impl Serialize for RequestIdentity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("request_id", self.id())?;
        map.serialize_entry("trace_id", &self.trace_id().to_string())?;
        map.serialize_entry("blueprint", &self.blueprint())?;
        map.serialize_entry("http.route", &self.route())?;
        map.end()
    }
}

/// A version 7 UUID, which sorts by its creation time in milliseconds. Unlike `Uuid::now_v7`, it needs no counter shared between
/// threads.
fn new_id() -> ArrayString<{ RequestIdentity::MAX_ID_BYTES }> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut random = [0; 10];
    // The last ten bytes of a version 4 UUID are random, except for the two variant bits, which version 7 has too.
    random.copy_from_slice(&Uuid::new_v4().as_bytes()[6..]);
    let id = uuid::Builder::from_unix_timestamp_millis(now.as_millis() as u64, &random).into_uuid();
    let mut text = ArrayString::new();
    text.push_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_callers_or_generated() {
        let id = |id: Option<&str>| {
            RequestIdentity::new(id, CallerTrace::default(), RequestParts::default()).id().to_owned()
        };
        assert_eq!(id(Some("web-1")), "web-1");
        let longest = "x".repeat(RequestIdentity::MAX_ID_BYTES);
        assert_eq!(id(Some(&longest)), longest);
        for new in [id(None), id(Some(&format!("{longest}x")))] {
            assert_eq!(new.parse::<Uuid>().map(|id| id.get_version_num()), Ok(7), "{new}");
        }
    }

    #[test]
    fn a_trace_id_is_generated_once() {
        let request = RequestIdentity::new(None, CallerTrace::default(), RequestParts::default());
        assert_eq!(request.trace_id(), request.trace_id());
        let trace = Uuid::new_v4();
        assert_eq!(RequestIdentity::new(None, trace.into(), RequestParts::default()).trace_id(), trace.simple());
        assert_eq!(request.span_id(), request.span_id());
    }

    #[test]
    fn a_transaction_is_method_and_route() {
        let request = RequestIdentity::new(None, CallerTrace::default(), RequestParts::default());
        assert_eq!(request.transaction(), None);
        request.set_route(Some("/orders/{id}".into()));
        request.set_route(Some("/never".into()));
        assert_eq!(request.transaction().as_deref(), Some("GET /orders/{id}"));
    }
}
