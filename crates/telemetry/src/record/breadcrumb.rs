use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::level::Level;

/// A breadcrumb, as passed to [`add_breadcrumb`](crate::add_breadcrumb) and to the `before_breadcrumb` hook.
#[derive(Debug, Clone)]
pub struct Breadcrumb {
    /// A description of what happened.
    pub message: String,
    /// The category; `None` is `breadcrumb`.
    pub category: Option<String>,
    /// The severity.
    pub level: Level,
    /// Additional values.
    pub data: Map<String, Value>,
}

impl Breadcrumb {
    /// A breadcrumb of level info.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), category: None, level: Level::Info, data: Map::new() }
    }

    /// Sets the category.
    #[must_use]
    pub fn category(mut self, category: impl Into<String>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Sets the level.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Adds a value. The values of sensitive keys are redacted.
    #[must_use]
    pub fn data(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.data.insert(key.into(), value.into());
        self
    }

    pub(crate) fn category_or_default(&self) -> &str {
        self.category.as_deref().unwrap_or("breadcrumb")
    }
}

impl<T: Into<String>> From<T> for Breadcrumb {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}

/// A breadcrumb as it is stored for the next event: redacted, with its time.
#[derive(Debug, Clone, Serialize)]
pub struct RecordedBreadcrumb {
    /// When it was added.
    #[serde(rename = "timestamp")]
    pub at: Timestamp,
    /// The severity.
    pub level: Level,
    /// The category.
    pub category: String,
    /// A description of what happened.
    pub message: String,
    /// Additional values.
    pub data: Map<String, Value>,
}
