//! Stops a backup from another thread.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rusqlite::{Connection, InterruptHandle};

/// A request to stop a backup, such as by a signal. A stopped backup leaves nothing behind.
#[derive(Clone, Default)]
pub struct BackupStop(Arc<State>);

#[derive(Default)]
struct State {
    is_requested: AtomicBool,
    /// Ends the check of the copy, which is one statement.
    check: Mutex<Option<InterruptHandle>>,
}

impl BackupStop {
    /// Stops the backup soon.
    pub fn stop(&self) {
        self.0.is_requested.store(true, Ordering::SeqCst);
        if let Some(check) = &*self.0.check.lock() {
            check.interrupt();
        }
    }

    pub(super) fn is_requested(&self) -> bool {
        self.0.is_requested.load(Ordering::SeqCst)
    }

    /// From now on a request interrupts the statements on this connection, too.
    pub(super) fn interrupts(&self, copy: &Connection) {
        *self.0.check.lock() = Some(copy.get_interrupt_handle());
    }
}

impl fmt::Debug for BackupStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BackupStop").field(&self.is_requested()).finish()
    }
}
