//! What a process needs to raise requests.

use std::sync::Arc;

use super::{DebugKey, RefusedTokenCounter};
use crate::settings::Log;

/// The key of debug tokens, and what was refused.
#[derive(Debug)]
pub(crate) struct DebugTokens {
    pub key: Arc<DebugKey>,
    pub refusals: RefusedTokenCounter,
}

impl DebugTokens {
    /// `None` when no key is set.
    pub(crate) fn new(log: &Log) -> Option<Arc<Self>> {
        // The settings have checked it.
        let key = DebugKey::new(log.debug_key.as_deref()?).ok()?;
        Some(Arc::new(Self { key: Arc::new(key), refusals: RefusedTokenCounter::new(log.flood.window()) }))
    }
}
