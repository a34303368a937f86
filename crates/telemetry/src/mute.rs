//! Threads whose log lines are not recorded.

use std::cell::Cell;

thread_local! {
    static MUTED: Cell<bool> = const { Cell::new(false) };
}

/// Ignores the log lines of the current thread from now on. Call it on a sink's own thread: its lines would be sent back to
/// the sink.
pub fn mute_this_thread() {
    MUTED.set(true);
}

pub(crate) fn is_muted() -> bool {
    MUTED.get()
}
