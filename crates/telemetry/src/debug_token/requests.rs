//! What a process needs to raise requests.

use std::sync::Arc;

use super::{DebugKey, Refusals};
use crate::settings::LogSettings;

/// The key of debug tokens, and what was refused.
#[derive(Debug)]
pub(crate) struct DebugRequests {
    pub key: Arc<DebugKey>,
    pub refusals: Refusals,
}

impl DebugRequests {
    /// `None` when no key is set.
    pub(crate) fn new(log: &LogSettings) -> Option<Arc<Self>> {
        // The settings have checked it.
        let key = DebugKey::new(log.debug_key.as_deref()?).ok()?;
        Some(Arc::new(Self { key: Arc::new(key), refusals: Refusals::new(log.flood.window()) }))
    }
}
