//! The keys whose first request is in progress in this process, so that a repeated request is rejected instead of waiting.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use uuid::Uuid;

static IN_FLIGHT: Mutex<BTreeSet<(Uuid, String)>> = Mutex::new(BTreeSet::new());

/// Guard of a caller's key: the request is in flight until the guard is dropped.
pub(super) struct InFlight((Uuid, String));

impl InFlight {
    /// `None` if a request with this key is in flight.
    pub(super) fn acquire(caller: Uuid, key_hash: &str) -> Option<Self> {
        let key = (caller, key_hash.to_owned());
        let is_new = IN_FLIGHT.lock().insert(key.clone());
        is_new.then(|| Self(key))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        IN_FLIGHT.lock().remove(&self.0);
    }
}
