//! Counts occurrences in time windows, with one report per window.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::mute::mute_this_thread;

/// Counts occurrences in time windows; `C` holds the counts of one. A window opens with its first count, so that there is no
/// cost while nothing occurs.
#[derive(Debug)]
pub(crate) struct WindowCounter<C> {
    /// The name of the thread that waits for the end of a window.
    thread: &'static str,
    window: Duration,
    open: Arc<Mutex<Option<C>>>,
}

impl<C: Default + Send + 'static> WindowCounter<C> {
    pub(crate) fn new(thread: &'static str, window: Duration) -> Self {
        Self { thread, window, open: Arc::default() }
    }

    /// Counts with `add`. The first count opens a window; at its end `report` is called with the counts.
    pub(crate) fn count(&self, add: impl FnOnce(&mut C), report: impl FnOnce(C) + Send + 'static) {
        let mut open = self.open.lock();
        let is_first = open.is_none();
        add(open.get_or_insert_default());
        drop(open);
        if is_first {
            let (window, open) = (self.window, Arc::clone(&self.open));
            let work = move || {
                mute_this_thread();
                std::thread::sleep(window);
                if let Some(counts) = take(&open) {
                    report(counts);
                }
            };
            // If the thread cannot be started, the window remains open until `close` is called.
            let _ = std::thread::Builder::new().name(self.thread.into()).spawn(work);
        }
    }

    /// Closes the window; returns its counts.
    pub(crate) fn close(&self) -> Option<C> {
        take(&self.open)
    }
}

fn take<C>(open: &Mutex<Option<C>>) -> Option<C> {
    open.lock().take()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn counter(window: Duration) -> WindowCounter<u64> {
        WindowCounter::new("test", window)
    }

    #[test]
    fn a_window_has_one_report() {
        let (sender, reports) = mpsc::channel();
        let counter = counter(Duration::from_millis(300));
        let count = || {
            let sender = sender.clone();
            counter.count(|count| *count += 1, move |count| sender.send(count).expect("an open channel"));
        };
        (0..3).for_each(|_| count());
        assert_eq!(reports.recv_timeout(Duration::from_secs(10)), Ok(3));
        count();
        assert_eq!(reports.recv_timeout(Duration::from_secs(10)), Ok(1), "another window");
        assert!(reports.try_recv().is_err());
    }

    #[test]
    fn close_returns_the_open_window_once() {
        let counter = counter(Duration::from_secs(3600));
        assert_eq!(counter.close(), None);
        counter.count(|count| *count += 1, |_| panic!("the window has not ended"));
        assert_eq!(counter.close(), Some(1));
        assert_eq!(counter.close(), None);
    }

    #[test]
    fn a_window_starts_one_thread() {
        let counter = counter(Duration::from_secs(3600));
        let held = Arc::new(());
        for _ in 0..3 {
            let report = Arc::clone(&held);
            counter.count(|count| *count += 1, move |_| drop(report));
        }
        assert_eq!(Arc::strong_count(&held), 2, "the other reports are dropped at once");
    }
}
