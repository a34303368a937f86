//! The queue of lines for stderr: bounded in bytes, and never blocking.
//!
//! Lines are appended to batches, each of which the writer's thread takes as a unit, so a line costs the request one copy.
//! tracing-appender's `non_blocking` provides that thread and its wake-up. Its own queue is not used: it needs an allocation
//! and a send per line, is bounded in lines, and when full it blocks, or drops lines without counting them by kind.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

use super::batches::Batches;
use super::writer::Writer;
use crate::level::Level;
use crate::policy::Kind;
use crate::sink_counts::SinkCounts;

/// The capacity of the wake-up channel. The writer receives each wake-up before it sleeps again.
const MAX_WAKES: usize = 2;

#[derive(Debug)]
pub(super) struct Queue {
    writer: NonBlocking,
    batches: Arc<Batches>,
    guard: Mutex<Option<WorkerGuard>>,
}

impl Queue {
    /// Starts the writer. `loss_line` formats the record of dropped lines.
    pub(super) fn start(max_bytes: usize, loss_line: impl Fn(&[(Kind, u64)]) -> Vec<u8> + Send + 'static) -> Self {
        let batches = Arc::new(Batches::new(max_bytes));
        let (writer, guard) = NonBlockingBuilder::default()
            .lossy(false)
            .buffered_lines_limit(MAX_WAKES)
            .thread_name("stderr")
            .finish(Writer::new(Arc::clone(&batches), loss_line));
        Self { writer, batches, guard: Mutex::new(Some(guard)) }
    }

    /// Queues a line for the writer, or counts it as dropped.
    pub(super) fn push(&self, kind: Kind, level: Level, line: &[u8]) {
        if self.batches.push(kind, level, line) {
            // Wakes the writer, which ignores the text. This fails only after the writer has ended.
            let _ = self.writer.clone().write_all(b"\n");
        }
    }

    /// Defers the record of losses while nothing is recorded.
    pub(super) fn set_silent(&self, silent: bool) {
        self.batches.set_silent(silent);
    }

    /// The counts since the start, and what waits.
    pub(super) fn counts(&self) -> SinkCounts {
        self.batches.counts()
    }

    /// Waits until all lines are written, at most until the deadline. Nothing is written after that; returns the undelivered
    /// records by kind.
    pub(super) fn finish(&self, deadline: Instant) -> Vec<(Kind, u64)> {
        let (is_empty, undelivered) = self.batches.wait_drained(deadline);
        let guard = self.guard.lock().take();
        // Dropping the guard of a stalled thread would print a message to stdout, which must stay empty.
        if !is_empty {
            std::mem::forget(guard);
        }
        undelivered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Counts the wake-ups of a writer that takes no lines.
    #[derive(Clone, Default)]
    struct Stalled(Arc<Mutex<usize>>);

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            *self.0.lock() += 1;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[track_caller]
    fn eventually(what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !condition() {
            assert!(Instant::now() < deadline, "not in time: {what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn the_writer_survives_a_panic() {
        let queue = Queue::start(1 << 16, |_| panic!("cannot format losses"));
        for _ in 0..3 {
            queue.batches.count_dropped(&[(Kind::Line, 1)]);
            queue.push(Kind::Line, Level::Info, b"\n");
            let (is_empty, _) = queue.batches.wait_drained(Instant::now() + Duration::from_secs(10));
            assert!(is_empty, "the writer is gone");
        }
    }

    #[test]
    fn finish_returns_undelivered_records() {
        let stalled = Stalled::default();
        let (writer, guard) = NonBlockingBuilder::default().finish(stalled.clone());
        let batches = Arc::new(Batches::new(1 << 16));
        let queue = Queue { writer, batches, guard: Mutex::new(Some(guard)) };
        for kind in [Kind::Line, Kind::Response, Kind::Line] {
            queue.push(kind, Level::Info, b"a line\n");
        }
        eventually("the writer is woken", || *stalled.0.lock() > 0);
        assert_eq!(queue.finish(Instant::now()), [(Kind::Line, 2), (Kind::Response, 1)]);
        assert_eq!(*stalled.0.lock(), 1);
    }

    #[test]
    fn the_writer_thread_ends_when_drained() {
        let owned = Arc::new(());
        let shared = Arc::clone(&owned);
        let queue = Queue::start(1 << 16, move |_| {
            let _ = &shared;
            Vec::new()
        });
        queue.push(Kind::Line, Level::Info, b"\n");
        assert_eq!(queue.finish(Instant::now() + Duration::from_secs(10)), []);
        eventually("the thread ends", || Arc::strong_count(&owned) == 1);
    }
}
