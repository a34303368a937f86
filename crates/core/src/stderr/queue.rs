//! The queue in front of stderr: bounded in bytes, and never a reason to wait.
//!
//! Lines are put together as they come, into batches that the writer's thread takes whole: what a request pays is one copy.
//! tracing-appender's `non_blocking` has that thread, and wakes it when it has nothing to do. Its own queue would cost each
//! line an allocation and a send, is limited in lines, and blocks or drops in silence when that is met; this one counts
//! what it refuses, by kind.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

use super::writer::Writer;
use crate::record::{Kind, Level};

/// One write takes this much when more is waiting: what the pipe holds, and what supervisord reads at once.
const BATCH: usize = super::writer::PIPE;
/// Batches that are kept when nothing is waiting.
const MOST_SPARE: usize = 16;
/// What a line takes in memory beside its bytes.
const LINE: usize = size_of::<(Kind, usize)>();
/// One is sent to the writer when it sleeps, and it takes that before it sleeps again.
const MOST_WAKES: usize = 2;

/// Records, by kind.
type Counts = [u64; Kind::ALL.len()];

#[derive(Debug)]
pub(super) struct Queue {
    writer: NonBlocking,
    shared: Arc<Shared>,
    guard: Mutex<Option<WorkerGuard>>,
}

/// What the queue and its writer both see.
#[derive(Debug)]
pub(super) struct Shared {
    limit: usize,
    state: Mutex<State>,
    drained: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Batch>,
    /// Those that have been written, to be filled again: memory that is new takes its time.
    spare: Vec<Batch>,
    /// Bytes on their way, those that the writer has taken included.
    queued: usize,
    /// What the writer has taken and not written yet.
    in_hand: Counts,
    dropped: Counts,
    /// Whether the writer is awake, and will look once more.
    awake: bool,
}

/// Lines, one after the other.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub bytes: Vec<u8>,
    /// The kind of each, and where it ends.
    pub lines: Vec<(Kind, usize)>,
}

impl Batch {
    fn has_room(&self, line: &[u8]) -> bool {
        self.bytes.len() + line.len() <= BATCH
    }

    /// What it counts for in the queue.
    pub fn charge(&self) -> usize {
        self.bytes.len() + self.lines.len() * LINE
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in there can panic between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lines that waited longest. With `None` the writer may sleep: it is woken for the next.
    pub fn take(&self) -> Option<Batch> {
        let mut state = self.state();
        let Some(batch) = state.waiting.pop_front() else {
            state.awake = false;
            return None;
        };
        batch.lines.iter().for_each(|(kind, _)| state.in_hand[*kind as usize] += 1);
        Some(batch)
    }

    /// A batch has been dealt with: these of its lines were not written.
    pub fn done(&self, charge: usize, mut batch: Batch, lost: impl Iterator<Item = Kind>) {
        let mut state = self.state();
        lost.for_each(|kind| state.dropped[kind as usize] += 1);
        state.in_hand = Counts::default();
        state.queued -= charge;
        batch.bytes.clear();
        batch.lines.clear();
        if state.spare.len() < MOST_SPARE {
            // One long line makes a batch of its own, as long as that.
            batch.bytes.shrink_to(BATCH);
            state.spare.push(batch);
        }
        if state.queued == 0 {
            self.drained.notify_all();
        }
    }

    /// Whether so much is waiting, half of what one write takes, that it need not gather more.
    pub fn is_full(&self) -> bool {
        self.state().waiting.iter().map(|batch| batch.bytes.len()).sum::<usize>() >= BATCH / 2
    }

    pub fn count_dropped(&self, counts: &[(Kind, u64)]) {
        let mut state = self.state();
        counts.iter().for_each(|(kind, count)| state.dropped[*kind as usize] += count);
    }

    /// The counts since they were last taken, if there is one.
    pub fn take_dropped(&self) -> Option<Vec<(Kind, u64)>> {
        let counts = by_kind(&std::mem::take(&mut self.state().dropped));
        (!counts.is_empty()).then_some(counts)
    }
}

impl State {
    /// What has not been written, nor been said to be lost.
    fn undelivered(&self) -> Vec<(Kind, u64)> {
        let mut counts = self.dropped;
        for (count, in_hand) in counts.iter_mut().zip(self.in_hand) {
            *count += in_hand;
        }
        let waiting = self.waiting.iter().flat_map(|batch| &batch.lines);
        waiting.for_each(|(kind, _)| counts[*kind as usize] += 1);
        by_kind(&counts)
    }

    fn put(&mut self, kind: Kind, line: &[u8]) {
        if !self.waiting.back().is_some_and(|batch| batch.has_room(line)) {
            let batch =
                self.spare.pop().unwrap_or_else(|| Batch { bytes: Vec::with_capacity(BATCH), lines: Vec::new() });
            self.waiting.push_back(batch);
        }
        let batch = self.waiting.back_mut().expect("one has just been put there");
        batch.bytes.extend_from_slice(line);
        batch.lines.push((kind, batch.bytes.len()));
        self.queued += line.len() + LINE;
    }
}

fn by_kind(counts: &Counts) -> Vec<(Kind, u64)> {
    Kind::ALL.into_iter().zip(*counts).filter(|(_, count)| *count > 0).collect()
}

impl Queue {
    /// `loss_line` writes the record of what was dropped.
    pub fn start(limit: usize, loss_line: impl Fn(&[(Kind, u64)]) -> Vec<u8> + Send + 'static) -> Self {
        let shared = Arc::new(Shared { limit, state: Mutex::default(), drained: Condvar::new() });
        let (writer, guard) = NonBlockingBuilder::default()
            .lossy(false)
            .buffered_lines_limit(MOST_WAKES)
            .thread_name("stderr")
            .finish(Writer::new(Arc::clone(&shared), loss_line));
        Self { writer, shared, guard: Mutex::new(Some(guard)) }
    }

    /// Hands a line to the writer, or counts it. The last eighth of the room is kept for warnings and above, and an eighth
    /// more from responses: they go first.
    pub fn push(&self, kind: Kind, level: Level, line: &[u8]) {
        let limit = match kind {
            Kind::Response => self.shared.limit / 8 * 6,
            _ if level >= Level::Warning => self.shared.limit,
            _ => self.shared.limit / 8 * 7,
        };
        let sleeps = {
            let mut state = self.shared.state();
            if state.queued + line.len() + LINE > limit {
                state.dropped[kind as usize] += 1;
                return;
            }
            state.put(kind, line);
            !std::mem::replace(&mut state.awake, true)
        };
        if sleeps {
            // What it says means nothing; it fails only when the writer has ended, and then nobody can be told.
            let _ = self.writer.clone().write_all(b"\n");
        }
    }

    /// Waits until every line has left, at most until the deadline. Nothing is written after it; what was not is given back,
    /// by kind.
    pub fn finish(&self, deadline: Instant) -> Vec<(Kind, u64)> {
        let mut state = self.shared.state();
        while state.queued > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                break;
            }
            state = self.shared.drained.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let (is_empty, undelivered) = (state.queued == 0, state.undelivered());
        drop(state);
        let guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A guard that cannot stop a stalled thread says so on stdout, which stays empty.
        if !is_empty {
            std::mem::forget(guard);
        }
        undelivered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_the_writer_costs_no_line_after_it() {
        let queue = Queue::start(1 << 16, |_| panic!("nobody can say what was lost"));
        for _ in 0..3 {
            queue.shared.count_dropped(&[(Kind::Line, 1)]);
            queue.push(Kind::Line, Level::Info, b"\n");
            let deadline = Instant::now() + Duration::from_secs(10);
            while queue.shared.state().queued > 0 {
                assert!(Instant::now() < deadline, "the writer is gone");
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn responses_go_first_and_warnings_last() {
        let shared = Arc::new(Shared { limit: 800, state: Mutex::default(), drained: Condvar::new() });
        let (writer, guard) = NonBlockingBuilder::default().finish(std::io::sink());
        let queue = Queue { writer, shared, guard: Mutex::new(Some(guard)) };
        let line = [b'x'; 100 - LINE];
        let admitted = |kind, level| {
            let before = queue.shared.state().undelivered();
            queue.push(kind, level, &line);
            assert_ne!(queue.shared.state().undelivered(), before, "it is counted, taken or not");
            queue.shared.take_dropped().is_none()
        };
        let all = |kind, level| (0..10).take_while(|_| admitted(kind, level)).count();
        assert_eq!(all(Kind::Response, Level::Error), 6);
        assert_eq!(all(Kind::Line, Level::Info), 1);
        assert_eq!(all(Kind::Line, Level::Warning), 1);
    }
}
