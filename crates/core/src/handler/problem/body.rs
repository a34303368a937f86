//! The body of a problem's response (RFC 9457).

use cyanotype_telemetry::EventId;
use serde::Serialize;
use utoipa::ToSchema;

/// Maximum number of invalid fields in a response.
pub(super) const MAX_FIELDS: usize = 20;
/// Maximum length of a field's path and message, in characters.
const MAX_TEXT_CHARS: usize = 200;

/// An invalid field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Path of the field.
    #[schema(example = "lines[0].quantity")]
    pub field: String,
    /// Why its value is invalid.
    #[schema(example = "lower than 1")]
    pub message: String,
}

impl FieldError {
    /// Truncates both texts, because clients control parts of them.
    pub(super) fn truncated(&self) -> Self {
        let truncate = |text: &str| match text.char_indices().nth(MAX_TEXT_CHARS) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.to_owned(),
        };
        Self { field: truncate(&self.field), message: truncate(&self.message) }
    }
}

/// An error (RFC 9457).
// Serialized in the order of the fields.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody<'a> {
    /// URI of the problem type; `about:blank` means that the status describes the problem.
    #[schema(format = "uri-reference", example = "about:blank")]
    pub r#type: &'static str,
    /// The meaning of the status.
    #[schema(example = "Not Found")]
    pub title: &'a str,
    #[schema(minimum = 400, maximum = 599, example = 404)]
    pub status: u16,
    /// What failed, and how to correct it.
    #[schema(nullable = false, example = "there is no such order")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The invalid fields.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errors: &'a [FieldError],
    /// Id of the request in the service's log.
    #[schema(nullable = false, example = "01890a5d-ac96-774b-bcce-b302099a8057")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<&'a str>,
    /// Id of the event in Sentry, if the failure was reported there.
    #[schema(value_type = Option<String>, nullable = false, example = "c4a1d4c0a2f34f0e9b8c5d7e6f102938")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentry_event_id: Option<EventId>,
}

impl ProblemBody<'_> {
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers always serialize")
    }
}
