//! A record of any kind but `response`, which has its own type.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{EventId, EventScope, Spans};
use crate::failure::Failure;
use crate::identity::RequestIdentity;
use crate::level::Level;
use crate::losses::Losses;
use crate::policy::Kind;

/// One record, redacted, as a [`RecordSink`](crate::RecordSink) writes it.
#[derive(Debug)]
pub struct Record {
    /// When it happened.
    pub at: Timestamp,
    /// The severity.
    pub level: Level,
    /// The kind.
    pub kind: Kind,
    /// A description of what happened.
    pub message: String,
    /// The module that reported it; for a breadcrumb its category.
    pub target: String,
    /// The spans around a log line.
    pub spans: Option<Spans>,
    /// The request it belongs to; `None` outside of requests.
    pub request: Option<Arc<RequestIdentity>>,
    /// The tags and the user that code has set; other values are for events only.
    pub scope: Option<Arc<EventScope>>,
    /// The reported failure.
    pub failure: Option<FailureDetail>,
    /// The event of the same failure, if an event sink accepted it.
    pub event_id: Option<EventId>,
    /// Values that depend on the kind.
    pub detail: Detail,
    /// Whether it is below the log level, and was written because its request failed.
    pub retroactive: bool,
}

/// The values of a record that depend on its kind.
#[derive(Debug)]
pub enum Detail {
    /// No values.
    None,
    /// The fields of a log line.
    Fields(Map<String, Value>),
    /// The data of a breadcrumb or a message.
    Data(Map<String, Value>),
    /// The data of a service record, written as keys of the record itself.
    Service(Map<String, Value>),
}

/// A failure in a record.
#[derive(Debug)]
pub struct FailureDetail {
    /// The failure.
    pub failure: Failure,
    /// Whether the record shows its stack trace.
    pub with_stack: bool,
}

impl Record {
    /// A record of the service itself with the current time; `data` becomes keys of the record.
    #[must_use]
    pub fn service(level: Level, target: &str, message: impl Into<String>, data: Map<String, Value>) -> Self {
        Self {
            at: Timestamp::now(),
            level,
            kind: Kind::Service,
            message: message.into(),
            target: target.to_owned(),
            spans: None,
            request: None,
            scope: None,
            failure: None,
            event_id: None,
            detail: Detail::Service(data),
            retroactive: false,
        }
    }

    /// A value of a service record's own.
    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        match &self.detail {
            Detail::Service(data) => data.get(key),
            _ => None,
        }
    }

    /// A record of dropped records, with their counts by kind in the key `dropped`.
    #[must_use]
    pub fn losses(losses: &Losses, message: impl Into<String>, mut data: Map<String, Value>) -> Self {
        data.insert("dropped".to_owned(), losses.to_json().into());
        Self::service(Level::Warning, "cyanotype::stderr", message, data)
    }
}
