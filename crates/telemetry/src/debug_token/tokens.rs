//! The state of a process that accepts debug tokens.

use std::sync::Arc;

use super::{DebugKey, RefusedTokenCounter};
use crate::settings::LogSettings;

/// The key that verifies debug tokens, and the counter of refused ones.
#[derive(Debug)]
pub(crate) struct DebugTokens {
    pub key: Arc<DebugKey>,
    pub refusals: RefusedTokenCounter,
}

impl DebugTokens {
    /// `None` if `log.debug_key` is not set.
    pub(crate) fn new(log: &LogSettings) -> Option<Arc<Self>> {
        // The settings have validated the key.
        let key = DebugKey::new(log.debug_key.as_deref()?).ok()?;
        Some(Arc::new(Self { key: Arc::new(key), refusals: RefusedTokenCounter::new(log.flood.window()) }))
    }
}
