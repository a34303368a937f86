//! A marker of responses whose failure has been reported.

/// A response extension: the failure has been reported, so the 5xx status must not be reported as another failure.
pub struct AlreadyReported;
