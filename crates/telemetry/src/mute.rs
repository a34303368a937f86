//! Threads whose log lines are not recorded.

use std::cell::Cell;

thread_local! {
    static MUTED: Cell<bool> = const { Cell::new(false) };
}

/// Ignores the log lines of this thread from now on. For a sink's own thread: its lines would come back to it.
pub fn mute_this_thread() {
    MUTED.set(true);
}

pub(crate) fn is_muted() -> bool {
    MUTED.get()
}
