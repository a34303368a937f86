//! The clock of the transport, which tests replace.

use std::sync::Arc;
use std::time::Instant;

/// Returns the current time.
pub(crate) type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// The system clock.
pub(crate) fn system() -> Clock {
    Arc::new(Instant::now)
}
