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
