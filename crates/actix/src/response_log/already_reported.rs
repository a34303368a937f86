//! What marks a response that needs no report of its own.

/// In the extensions of a response: its failure has been reported, so that its status is not taken for another.
pub struct AlreadyReported;
