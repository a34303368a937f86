//! How responses and requests ended.

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was sent completely.
    Complete,
    /// The client disconnected before the end.
    Aborted,
    /// The body stream failed.
    Error,
}

impl Outcome {
    /// The value of `outcome` in a record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Aborted => "aborted",
            Self::Error => "error",
        }
    }
}

/// How the processing of a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestEnd {
    /// The status of the response; `None` if the client left before there was one.
    pub status: Option<u16>,
    /// Whether the request has reported a failure.
    pub has_failed: bool,
    /// Whether its work panicked.
    pub has_panicked: bool,
}
