//! The keys whose first request is in hand in this process, so that the next one need not wait for it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

static IN_HAND: Mutex<BTreeSet<(Uuid, String)>> = Mutex::new(BTreeSet::new());

/// A caller's key that is in hand until this is dropped.
pub(super) struct InHand((Uuid, String));

impl InHand {
    /// `None` when another has it.
    pub fn take(caller: Uuid, key_hash: &str) -> Option<Self> {
        let key = (caller, key_hash.to_owned());
        let is_new = lock().insert(key.clone());
        is_new.then(|| Self(key))
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        lock().remove(&self.0);
    }
}

/// A panic elsewhere while it was held leaves it whole: each change is one insertion or one removal.
fn lock() -> MutexGuard<'static, BTreeSet<(Uuid, String)>> {
    IN_HAND.lock().unwrap_or_else(PoisonError::into_inner)
}
