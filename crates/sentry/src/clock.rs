//! The time, as the transport reads it.

use std::sync::Arc;
use std::time::Instant;

/// Returns the present; tests pass one that they advance.
pub(crate) type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// The system's clock.
pub(crate) fn system() -> Clock {
    Arc::new(Instant::now)
}
