use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{CodeLocation, EventId, EventScope, RecordedBreadcrumb, Spans};
use crate::failure::Failure;
use crate::identity::RequestIdentity;
use crate::level::Level;

/// An event for an [`EventSink`](crate::EventSink): redacted, with the breadcrumbs that precede it.
///
/// It serializes to a JSON object. Its stack trace is resolved before sinks receive it.
#[derive(Debug, Serialize)]
pub struct Event {
    /// The id, which is the same for all sinks; the capture helpers return it.
    #[serde(rename = "event_id")]
    pub id: EventId,
    /// When it happened.
    #[serde(rename = "timestamp")]
    pub at: Timestamp,
    /// The severity.
    pub level: Level,
    /// The module that reported it.
    pub target: String,
    /// The text of a message or a log line; `None` for a failure, which has its own message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The reported failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Whether no code caught the failure.
    pub unhandled: bool,
    /// The code that logged the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<CodeLocation>,
    /// The spans around the line.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub spans: Option<Spans>,
    /// The data of a message, or the fields of a log line.
    pub data: Map<String, Value>,
    /// The tags, the user, the contexts and the fingerprint that code has set.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Arc<EventScope>>,
    /// The breadcrumbs, oldest first.
    pub breadcrumbs: Vec<RecordedBreadcrumb>,
    /// The request it belongs to; `None` outside of requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Arc<RequestIdentity>>,
}

impl Event {
    /// The tags, the user, the contexts and the fingerprint, to change them for this event.
    pub fn scope_mut(&mut self) -> &mut EventScope {
        Arc::make_mut(self.scope.get_or_insert_default())
    }
}
