use serde::Serialize;
use serde_json::{Map, Value};

/// The `tracing` spans around a log line, without the request's root span.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spans {
    /// Their names, outermost first, joined by `:`.
    #[serde(rename = "span")]
    pub names: String,
    /// Their fields; of two with one name that of the inner span.
    #[serde(rename = "span_fields", skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
}

impl<T: Into<String>> From<T> for Spans {
    /// Spans without fields.
    fn from(names: T) -> Self {
        Self { names: names.into(), fields: Map::new() }
    }
}
