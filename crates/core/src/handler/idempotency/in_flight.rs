//! The keys whose first request is in hand in this process, so that the next one need not wait for it.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use uuid::Uuid;

static IN_HAND: Mutex<BTreeSet<(Uuid, String)>> = Mutex::new(BTreeSet::new());

/// A caller's key that is in hand until this is dropped.
pub(super) struct InFlight((Uuid, String));

impl InFlight {
    /// `None` when another has it.
    pub(super) fn take(caller: Uuid, key_hash: &str) -> Option<Self> {
        let key = (caller, key_hash.to_owned());
        let is_new = IN_HAND.lock().insert(key.clone());
        is_new.then(|| Self(key))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        IN_HAND.lock().remove(&self.0);
    }
}
