//! What the flags' thread and the requests share.

use std::time::Duration;

use crate::cache::Cache;
use crate::events::FlagEvents;

/// The longest that a request waits for its flags.
pub const EVALUATION_TIMEOUT: Duration = Duration::from_millis(50);

/// What the thread and the requests share.
pub(crate) struct SharedState {
    pub events: FlagEvents,
    pub cache: Cache,
}
