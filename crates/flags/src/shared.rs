//! State shared by the flags thread and the requests.

use std::time::Duration;

use crate::cache::Cache;
use crate::events::FlagEvents;

/// Maximum time that a request waits for its flags.
pub const EVALUATION_TIMEOUT: Duration = Duration::from_millis(50);

/// State shared by the flags thread and the requests.
pub(crate) struct SharedState {
    pub events: FlagEvents,
    pub cache: Cache,
}
