//! A record of any kind but `response`, which has a type of its own.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::EventId;
use crate::failure::Failure;
use crate::identity::RequestIdentity;
use crate::level::Level;
use crate::losses::Losses;
use crate::policy::Kind;

/// One record, redacted, as a [`LineSink`](crate::LineSink) writes it.
#[derive(Debug)]
pub struct Record {
    /// When it happened.
    pub at: Timestamp,
    /// How severe it is.
    pub level: Level,
    /// The row of the table that it is of.
    pub kind: Kind,
    /// What happened, in words.
    pub message: String,
    /// The module it comes from; for a breadcrumb its category.
    pub target: String,
    /// The spans that a logger line was written in, outermost first, joined by `:`.
    pub span: Option<String>,
    /// The request it belongs to; `None` outside of requests.
    pub request: Option<Arc<RequestIdentity>>,
    /// The failure that it reports.
    pub failure: Option<FailureDetail>,
    /// The event of the same failure, if an event sink accepted one.
    pub event_id: Option<EventId>,
    /// What only some kinds have.
    pub detail: Detail,
    /// Whether it is below the level, and written because its request failed.
    pub retroactive: bool,
}

/// What only some kinds of records have.
#[derive(Debug)]
pub enum Detail {
    /// Nothing more.
    None,
    /// The fields of a logger line.
    Fields(Map<String, Value>),
    /// The data of a breadcrumb or a message.
    Data(Map<String, Value>),
    /// Keys of a service record, written among the record's own.
    Service(Map<String, Value>),
}

/// A failure as its record shows it.
#[derive(Debug)]
pub struct FailureDetail {
    /// The failure.
    pub failure: Failure,
    /// Whether the record shows its stack trace.
    pub with_stack: bool,
}

impl Record {
    /// A record of the service itself, written now: `data` becomes keys of the record.
    #[must_use]
    pub fn service(level: Level, target: &str, message: impl Into<String>, data: Map<String, Value>) -> Self {
        Self {
            at: Timestamp::now(),
            level,
            kind: Kind::Service,
            message: message.into(),
            target: target.to_owned(),
            span: None,
            request: None,
            failure: None,
            event_id: None,
            detail: Detail::Service(data),
            retroactive: false,
        }
    }

    /// The record of what was dropped, with the counts by kind in the key `dropped`.
    #[must_use]
    pub fn losses(losses: &Losses, message: impl Into<String>, mut data: Map<String, Value>) -> Self {
        data.insert("dropped".to_owned(), losses.to_json().into());
        Self::service(Level::Warning, "cyanotype::stderr", message, data)
    }
}
