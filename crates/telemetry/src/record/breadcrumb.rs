use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::level::Level;

/// What [`add_breadcrumb`](crate::add_breadcrumb) takes, and what the `before_breadcrumb` hook sees.
#[derive(Debug, Clone)]
pub struct Breadcrumb {
    /// What happened, in words.
    pub message: String,
    /// What it is about: `breadcrumb` when `None`.
    pub category: Option<String>,
    /// How severe it is.
    pub level: Level,
    /// Values that go with it.
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

    /// Adds a value; that of a sensitive key is redacted.
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
    /// How severe it is.
    pub level: Level,
    /// What it is about.
    pub category: String,
    /// What happened, in words.
    pub message: String,
    /// Values that go with it.
    pub data: Map<String, Value>,
}
