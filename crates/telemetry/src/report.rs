//! A report: input of the pipeline, before the table selects its sinks.

use std::sync::Arc;

use cyanotype_redact::Redactor;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::capture_site::CaptureSite;
use crate::failure::Failure;
use crate::identity::RequestIdentity;
use crate::level::Level;
use crate::policy::Kind;
use crate::record::{
    Breadcrumb, CodeLocation, Detail, EventId, EventScope, FailureDetail, Record, RecordedBreadcrumb, Spans,
};

/// Something to record: a log line, a failure, a message, a breadcrumb or the state of the service.
#[derive(Debug)]
pub struct Report {
    /// The kind of its record.
    pub kind: Kind,
    /// The severity.
    pub level: Level,
    /// A description of what happened.
    pub message: String,
    /// The module that reported it; for a breadcrumb its category.
    pub target: String,
    /// The spans around a log line.
    pub spans: Option<Spans>,
    /// The code that logged the line.
    pub location: Option<CodeLocation>,
    /// The reported failure.
    pub failure: Option<Failure>,
    /// Where the failure was captured; `None` if no code captured it explicitly.
    pub capture_site: Option<CaptureSite>,
    /// The tags, the user, the contexts and the fingerprint of this report, besides those of its request.
    pub scope: Option<Arc<EventScope>>,
    /// The fields of a log line, or the data of a breadcrumb or message.
    pub data: Map<String, Value>,
}

impl Report {
    /// A report without failure or data.
    #[must_use]
    pub fn new(kind: Kind, level: Level, target: &str, message: String) -> Self {
        let target = target.to_owned();
        Self {
            kind,
            level,
            message,
            target,
            spans: None,
            location: None,
            failure: None,
            capture_site: None,
            scope: None,
            data: Map::new(),
        }
    }

    /// A report of the state of the service itself.
    #[must_use]
    pub fn service(level: Level, message: impl Into<String>) -> Self {
        Self::new(Kind::Service, level, "cyanotype", message.into())
    }

    /// A report of a failure, of level error.
    #[must_use]
    pub fn failure(kind: Kind, target: &str, failure: Failure) -> Self {
        let message = failure.first().message.clone();
        Self { failure: Some(failure), ..Self::new(kind, Level::Error, target, message) }
    }

    pub(crate) fn breadcrumb(breadcrumb: Breadcrumb) -> Self {
        let category = breadcrumb.category_or_default().to_owned();
        let data = breadcrumb.data;
        Self { data, ..Self::new(Kind::Breadcrumb, breadcrumb.level, &category, breadcrumb.message) }
    }

    /// Adds a value to the data.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// Redacts all values that code or a client may have chosen.
    pub(crate) fn redacted(mut self, redactor: &Redactor) -> Self {
        redactor.map(&mut self.data);
        if let Some(spans) = &mut self.spans {
            redactor.map(&mut spans.fields);
        }
        redactor.text_in_place(&mut self.message);
        redactor.text_in_place(&mut self.target);
        if let Some(scope) = &mut self.scope {
            Arc::make_mut(scope).redact(redactor);
        }
        for link in self.failure.iter_mut().flat_map(|failure| &mut failure.chain) {
            redactor.text_in_place(&mut link.message);
        }
        self
    }

    /// Adds the scope of its request, which is redacted, as this report must be. The report's own scope takes precedence.
    pub(crate) fn in_scope(mut self, outer: Option<Arc<EventScope>>) -> Self {
        self.scope = match (outer, self.scope) {
            (Some(mut outer), Some(own)) => {
                Arc::make_mut(&mut outer).merge(Arc::unwrap_or_clone(own));
                Some(outer)
            }
            (outer, own) => own.or(outer),
        };
        self
    }

    /// Converts the report into a record.
    pub(crate) fn into_record(
        self,
        at: Timestamp,
        request: Option<&Arc<RequestIdentity>>,
        event_id: Option<EventId>,
        with_stack: bool,
    ) -> Record {
        Record {
            at,
            level: self.level,
            kind: self.kind,
            message: self.message,
            target: self.target,
            spans: self.spans,
            request: request.cloned(),
            scope: self.scope,
            failure: self.failure.map(|failure| FailureDetail { failure, with_stack }),
            event_id,
            detail: match self.kind {
                Kind::Line => Detail::Fields(self.data),
                Kind::Service => Detail::Service(self.data),
                Kind::Breadcrumb | Kind::Message => Detail::Data(self.data),
                Kind::Exception | Kind::Uncaught | Kind::Response => Detail::None,
            },
            retroactive: false,
        }
    }

    /// The report as a breadcrumb.
    pub(crate) fn to_breadcrumb(&self, at: Timestamp) -> RecordedBreadcrumb {
        RecordedBreadcrumb {
            at,
            level: self.level,
            category: self.target.clone(),
            message: self.message.clone(),
            data: self.data.clone(),
        }
    }
}
