//! Decides whether events captured with the SDK directly are sent. Events of this crate have already passed the policy.

use std::cell::Cell;
use std::sync::Arc;

use cyanotype_telemetry::effective::{RecordOrigin, Snapshot};
use cyanotype_telemetry::request;
use parking_lot::RwLock;

thread_local! {
    static SENDING_OWN_EVENT: Cell<bool> = const { Cell::new(false) };
}

/// The current policy, applied to events that were not built by this crate. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<RwLock<Option<Arc<Snapshot>>>>);

impl Gate {
    pub(crate) fn apply(&self, snapshot: &Arc<Snapshot>) {
        *self.0.write() = Some(Arc::clone(snapshot));
    }

    /// Whether the event that is being sent on this thread is allowed.
    pub(crate) fn allows(&self) -> bool {
        if is_sending_own_event() {
            return true;
        }
        let snapshot = self.0.read();
        // Without a policy there is no service yet, for instance in `send_test_event`.
        let Some(snapshot) = &*snapshot else { return true };
        let has_sentry = |origin: &RecordOrigin<'_>| snapshot.values_for(origin).policy.has_sentry();
        request::with_current(|request| has_sentry(&RecordOrigin::new(Some(request.identity()), "")))
            .unwrap_or_else(|| has_sentry(&RecordOrigin::default()))
    }
}

/// Whether this thread is sending an event built by this crate.
pub(crate) fn is_sending_own_event() -> bool {
    SENDING_OWN_EVENT.get()
}

/// Sends an event built by this crate, which is always allowed.
pub(crate) fn send_own_event(send: impl FnOnce()) {
    SENDING_OWN_EVENT.set(true);
    send();
    SENDING_OWN_EVENT.set(false);
}
