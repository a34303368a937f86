//! The body of a problem's response (RFC 9457).

use cyanotype_telemetry::EventId;
use serde::Serialize;
use utoipa::ToSchema;

/// The most wrong fields that an answer names, and the most characters of a path and of a message.
pub(super) const MOST_FIELDS: usize = 20;
const LONGEST_TEXT: usize = 200;

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field's path.
    #[schema(example = "lines[0].quantity")]
    pub field: String,
    /// What is wrong with its value.
    #[schema(example = "lower than 1")]
    pub message: String,
}

impl FieldError {
    /// Of both, clients choose a part.
    pub(super) fn shortened(&self) -> Self {
        let short = |text: &str| match text.char_indices().nth(LONGEST_TEXT) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.to_owned(),
        };
        Self { field: short(&self.field), message: short(&self.message) }
    }
}

/// An error (RFC 9457).
// Its members, in the order in which they are written.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody<'a> {
    /// A URI that names the kind of problem; `about:blank` is the status's own.
    #[schema(format = "uri-reference", example = "about:blank")]
    pub r#type: &'static str,
    /// The meaning of the status.
    #[schema(example = "Not Found")]
    pub title: &'a str,
    #[schema(minimum = 400, maximum = 599, example = 404)]
    pub status: u16,
    /// What is wrong, and how to correct it.
    #[schema(nullable = false, example = "there is no such order")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The invalid fields.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errors: &'a [FieldError],
    /// Names the request in the service's log.
    #[schema(nullable = false, example = "01890a5d-ac96-774b-bcce-b302099a8057")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<&'a str>,
    /// Names the event in Sentry, when the failure has been reported there.
    #[schema(value_type = Option<String>, nullable = false, example = "c4a1d4c0a2f34f0e9b8c5d7e6f102938")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentry_event_id: Option<EventId>,
}

impl ProblemBody<'_> {
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }
}
