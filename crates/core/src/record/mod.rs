//! What is recorded: the kinds, their levels, and the table that says where each goes.

mod level;
mod policy;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

pub use level::{Level, UnknownLevel};
pub use policy::{Kind, Policy, Route, Stack as StackRoute, ToSentry};

use crate::failure::Failure;
use crate::redact::Content;
use crate::request::RequestContext;

/// The id that a Sentry event goes by: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId(Uuid);

impl EventId {
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4())
    }

    #[cfg_attr(not(feature = "sentry"), expect(dead_code, reason = "only Sentry's events have ids"))]
    pub(crate) fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One record, ready to be written.
#[derive(Debug)]
pub(crate) struct Record {
    pub at: Timestamp,
    pub level: Level,
    pub kind: Kind,
    pub message: String,
    pub target: String,
    /// The spans that a logger line was said in, outermost first.
    pub span: Option<String>,
    pub request: Option<Arc<RequestContext>>,
    pub failure: Option<FailureDetail>,
    pub event_id: Option<EventId>,
    pub detail: Detail,
}

/// What only some kinds have.
#[derive(Debug)]
pub(crate) enum Detail {
    None,
    /// A logger line's own fields.
    Fields(Map<String, Value>),
    /// What came with a breadcrumb or a message.
    Data(Map<String, Value>),
    /// What the service says of itself stands among the record's own keys.
    Service(Map<String, Value>),
    Response(Box<ResponseDetail>),
}

#[derive(Debug)]
pub(crate) struct FailureDetail {
    pub failure: Failure,
    pub with_stack: bool,
}

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Complete,
    /// The client left before the end.
    Aborted,
    /// The body's stream failed.
    Error,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        ["complete", "aborted", "error"][self as usize]
    }
}

#[derive(Debug)]
pub(crate) struct ResponseDetail {
    pub method: String,
    pub route: Option<String>,
    pub path: String,
    pub query: Option<String>,
    /// `None` when the handler never answered.
    pub status: Option<u16>,
    pub duration_ms: f64,
    pub outcome: Outcome,
    pub response: BodyDetail,
    /// `None` when it is not asked for, or there is no body.
    pub request: Option<BodyDetail>,
    pub client_address: Option<String>,
    pub user_agent: Option<String>,
}

/// What is told of a body.
#[derive(Debug)]
pub(crate) struct BodyDetail {
    pub content_type: Option<String>,
    /// How it is compressed, when that was not done by a layer outside.
    pub coding: Option<String>,
    /// Bytes of it that were passed on.
    pub size: u64,
    pub content: Option<Content<'static>>,
}

/// Something that happened before an event, kept to be sent with it.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "sentry"), expect(dead_code, reason = "without Sentry no breadcrumb is read"))]
pub(crate) struct Crumb {
    pub at: Timestamp,
    pub level: Level,
    pub category: String,
    pub message: String,
    pub data: Map<String, Value>,
}

/// What is sent to Sentry.
#[derive(Debug)]
#[cfg_attr(not(feature = "sentry"), expect(dead_code, reason = "without Sentry no event is read"))]
pub(crate) struct Event {
    pub id: EventId,
    pub at: Timestamp,
    pub level: Level,
    pub target: String,
    pub message: Option<String>,
    pub failure: Option<Failure>,
    pub unhandled: bool,
    pub data: Map<String, Value>,
    pub crumbs: Vec<Crumb>,
    pub request: Option<Arc<RequestContext>>,
}
