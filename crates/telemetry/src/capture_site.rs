//! Where code captured a failure.

use std::panic::Location;

use crate::record::EventId;

/// Where code captured a failure explicitly. Captures at different places are different failures, even if their errors are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureSite {
    /// A call of a capture helper.
    Code(&'static Location<'static>),
    /// A call of an event sink's own SDK, which is known only by its event.
    Sdk(EventId),
}
