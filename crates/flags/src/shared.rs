//! What the flags' thread and the requests share.

use std::time::Duration;

use crate::cache::Cache;
use crate::notices::Notices;

/// The longest that a request waits for its flags.
pub const LIMIT: Duration = Duration::from_millis(50);

/// What the thread and the requests share.
pub(crate) struct Shared {
    pub notices: Notices,
    pub cache: Cache,
}
