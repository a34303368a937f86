//! The queue in front of stderr: bounded in bytes, and never a reason to wait.
//!
//! tracing-appender's `non_blocking` carries the lines to its thread. Its own limit is in lines and it blocks or drops in
//! silence when that is met; so lines are admitted here first, by their bytes, and what is refused is counted by kind.

use std::io::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

use super::writer::Writer;
use crate::record::{Kind, Level};

/// A line counts for no less, so the appender's limit in lines is never met before ours in bytes.
const LEAST_CHARGE: usize = 64;
/// The appender makes room for its most lines beforehand.
const MOST_LINES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Queue {
    appender: NonBlocking,
    shared: Arc<Shared>,
    guard: Mutex<Option<WorkerGuard>>,
}

/// What the queue and its writer both see.
#[derive(Debug)]
pub(super) struct Shared {
    limit: usize,
    /// What a line counts for at least.
    least_charge: usize,
    queued: AtomicUsize,
    /// Records on their way, by kind.
    waiting: [AtomicU64; Kind::ALL.len()],
    dropped: [AtomicU64; Kind::ALL.len()],
    drained: (Mutex<()>, Condvar),
}

impl Shared {
    /// What a message of so many bytes counts for.
    pub fn charge(&self, bytes: usize) -> usize {
        bytes.max(self.least_charge)
    }

    /// This much has left the queue, written or lost.
    pub fn release(&self, bytes: usize) {
        if self.queued.fetch_sub(bytes, Ordering::AcqRel) == bytes {
            let _held = self.drained.0.lock().unwrap_or_else(PoisonError::into_inner);
            self.drained.1.notify_all();
        }
    }

    /// A record has left the queue, written or lost.
    pub fn left(&self, kind: Kind) {
        self.waiting[kind as usize].fetch_sub(1, Ordering::Relaxed);
    }

    /// What has not been written, nor been said to be lost.
    fn undelivered(&self) -> Vec<(Kind, u64)> {
        let count = |counts: &[AtomicU64], kind: Kind| counts[kind as usize].load(Ordering::Relaxed);
        let all = Kind::ALL.map(|kind| (kind, count(&self.waiting, kind) + count(&self.dropped, kind)));
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    pub fn count_dropped(&self, kind: Kind, records: u64) {
        self.dropped[kind as usize].fetch_add(records, Ordering::Relaxed);
    }

    /// The counts since they were last taken, if there is one.
    pub fn take_dropped(&self) -> Option<Vec<(Kind, u64)>> {
        let counts = Kind::ALL.map(|kind| (kind, self.dropped[kind as usize].swap(0, Ordering::Relaxed)));
        let counts: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        (!counts.is_empty()).then_some(counts)
    }

    /// Whether a record of this size still fits. The last eighth is kept for warnings and above, and an eighth more from
    /// responses: they go first.
    fn admit(&self, kind: Kind, level: Level, bytes: usize) -> bool {
        let limit = match kind {
            Kind::Response => self.limit / 8 * 6,
            _ if level >= Level::Warning => self.limit,
            _ => self.limit / 8 * 7,
        };
        let fits = |queued: usize| (queued + bytes <= limit).then_some(queued + bytes);
        self.queued.fetch_update(Ordering::AcqRel, Ordering::Relaxed, fits).is_ok()
    }
}

impl Queue {
    /// `loss_line` writes the record of what was dropped.
    pub fn start(limit: usize, loss_line: impl Fn(&[(Kind, u64)]) -> Vec<u8> + Send + 'static) -> Self {
        let lines = (limit / LEAST_CHARGE).min(MOST_LINES);
        let shared = Arc::new(Shared {
            limit,
            least_charge: limit / lines,
            queued: AtomicUsize::new(0),
            waiting: Default::default(),
            dropped: Default::default(),
            drained: Default::default(),
        });
        let (appender, guard) = NonBlockingBuilder::default()
            .lossy(false)
            .buffered_lines_limit(lines)
            .thread_name("stderr")
            .finish(Writer::new(Arc::clone(&shared), loss_line));
        Self { appender, shared, guard: Mutex::new(Some(guard)) }
    }

    /// Hands a message (the kind's byte, then its line) to the writer, or counts it.
    pub fn push(&self, kind: Kind, level: Level, message: &[u8]) {
        let charge = self.shared.charge(message.len());
        if !self.shared.admit(kind, level, charge) {
            return self.shared.count_dropped(kind, 1);
        }
        self.shared.waiting[kind as usize].fetch_add(1, Ordering::Relaxed);
        // Blocks only when the limit in lines is met, which admission makes impossible.
        if self.appender.clone().write_all(message).is_err() {
            self.shared.left(kind);
            self.shared.release(charge);
            self.shared.count_dropped(kind, 1);
        }
    }

    /// Waits until every line has left, at most until the deadline. Nothing is written after it; what was not is given back,
    /// by kind.
    pub fn finish(&self, deadline: Instant) -> Vec<(Kind, u64)> {
        let (lock, drained) = &self.shared.drained;
        let mut held = lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.shared.queued.load(Ordering::Acquire) > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                break;
            }
            held = drained.wait_timeout(held, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let is_empty = self.shared.queued.load(Ordering::Acquire) == 0;
        let guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A guard that cannot stop a stalled thread says so on stdout, which stays empty.
        if !is_empty {
            std::mem::forget(guard);
        }
        self.shared.undelivered()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_the_writer_costs_no_line_after_it() {
        let queue = Queue::start(1 << 16, |_| panic!("nobody can say what was lost"));
        for _ in 0..3 {
            queue.shared.count_dropped(Kind::Line, 1);
            queue.push(Kind::Line, Level::Info, b"\0\n");
            let deadline = Instant::now() + Duration::from_secs(10);
            while queue.shared.queued.load(Ordering::Acquire) > 0 {
                assert!(Instant::now() < deadline, "the writer is gone");
                std::thread::yield_now();
            }
        }
    }
}
