use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{EventId, RecordedBreadcrumb};
use crate::failure::Failure;
use crate::identity::RequestIdentity;
use crate::level::Level;

/// What an [`EventSink`](crate::EventSink) gets: an event, redacted, with the breadcrumbs that led to it.
///
/// Serialized, it is one JSON object; its stack trace is resolved by then.
#[derive(Debug, Serialize)]
pub struct Event {
    /// The same for all sinks; the helpers return it.
    #[serde(rename = "event_id")]
    pub id: EventId,
    /// When it happened.
    #[serde(rename = "timestamp")]
    pub at: Timestamp,
    /// How severe it is.
    pub level: Level,
    /// The module it comes from.
    pub target: String,
    /// The text of a message or a logger line; a failure has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The failure that it reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Whether no code caught the failure.
    pub unhandled: bool,
    /// Data of a message, fields of a logger line.
    pub data: Map<String, Value>,
    /// Oldest first.
    pub breadcrumbs: Vec<RecordedBreadcrumb>,
    /// The request it belongs to; `None` outside of requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Arc<RequestIdentity>>,
}
