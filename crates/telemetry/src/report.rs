//! Something to be recorded, before the table has decided where.

use std::sync::Arc;

use cyanotype_redact::Redactor;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::identity::RequestIdentity;
use crate::level::Level;
use crate::policy::Kind;
use crate::record::{Breadcrumb, Detail, EventId, FailureDetail, Record, RecordedBreadcrumb};

/// Something to be recorded.
#[derive(Debug)]
pub struct Report {
    /// The row of the table that it is of.
    pub kind: Kind,
    /// How severe it is.
    pub level: Level,
    /// The level it must reach, where that is not `log.level`: its module's own.
    pub threshold: Option<Level>,
    /// What happened, in words.
    pub message: String,
    /// The module it comes from; for a breadcrumb its category.
    pub target: String,
    /// The spans that a logger line was written in.
    pub span: Option<String>,
    /// The failure that it reports.
    pub failure: Option<Failure>,
    /// Fields of a logger line, data of a breadcrumb or a message.
    pub data: Map<String, Value>,
}

impl Report {
    /// A report without failure or data.
    #[must_use]
    pub fn new(kind: Kind, level: Level, target: &str, message: String) -> Self {
        let target = target.to_owned();
        Self { kind, level, threshold: None, message, target, span: None, failure: None, data: Map::new() }
    }

    /// A report of the service's own state.
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

    /// Adds a value to its data.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// Redacts everything in it that code or a client may have chosen.
    pub(crate) fn redacted(mut self, redactor: &Redactor) -> Self {
        redactor.map(&mut self.data);
        redactor.text_in_place(&mut self.message);
        redactor.text_in_place(&mut self.target);
        for link in self.failure.iter_mut().flat_map(|failure| &mut failure.chain) {
            redactor.text_in_place(&mut link.message);
        }
        self
    }

    /// Its record, ready to be written.
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
            span: self.span,
            request: request.cloned(),
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

    /// Its breadcrumb, ready to be stored.
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
