//! Batches of lines for the writer, bounded in bytes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::level::Level;
use crate::policy::Kind;
use crate::sink_counts::{self, RecordCounts, SinkCounts};

/// The maximum size of one write, in bytes: the capacity of the pipe, and the size of one read by supervisord.
pub(super) const MAX_BATCH: usize = 1 << 17;
/// Maximum number of empty batches retained for reuse.
const MAX_SPARE: usize = 16;
/// The memory of a line, without its bytes.
const LINE_OVERHEAD: usize = size_of::<(Kind, usize)>();

/// Counts of records by kind.
type Counts = [u64; Kind::ALL.len()];

/// Consecutive lines.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub bytes: Vec<u8>,
    /// The kind and the end offset of each line.
    pub lines: Vec<(Kind, usize)>,
}

impl Batch {
    fn has_room(&self, line: &[u8]) -> bool {
        self.bytes.len() + line.len() <= MAX_BATCH
    }

    /// The size that counts towards the limit of the queue.
    pub(super) fn charge(&self) -> usize {
        self.bytes.len() + self.lines.len() * LINE_OVERHEAD
    }
}

#[derive(Debug)]
pub(super) struct Batches {
    max_bytes: usize,
    state: Mutex<State>,
    drained: Condvar,
    /// Whether nothing is recorded: losses are reported once recording resumes.
    silent: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Batch>,
    /// Written batches for reuse, because allocating and faulting in new memory is slow.
    spare: Vec<Batch>,
    /// Queued bytes, including those that the writer has taken.
    queued: usize,
    /// Records that the writer has taken, but not written yet.
    in_flight: Counts,
    /// Dropped records that no record of loss has counted yet.
    dropped: Counts,
    /// All records dropped since the start.
    total_dropped: Counts,
    /// All records written since the start.
    total_written: Counts,
    /// Whether the writer is awake, and will take the next line without a wake-up.
    writer_awake: bool,
}

impl Batches {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, state: Mutex::default(), drained: Condvar::new(), silent: AtomicBool::new(false) }
    }

    /// Adds a line, or counts it as dropped. Returns whether the writer must be woken. The last eighth of the queue is reserved
    /// for warnings and above, and the eighth before it for everything but responses, which are dropped first.
    pub(super) fn push(&self, kind: Kind, level: Level, line: &[u8]) -> bool {
        let limit = match kind {
            Kind::Response => self.max_bytes / 8 * 6,
            _ if level >= Level::Warning => self.max_bytes,
            _ => self.max_bytes / 8 * 7,
        };
        let mut state = self.state.lock();
        if state.queued + line.len() + LINE_OVERHEAD > limit {
            state.drop_record(kind);
            return false;
        }
        state.append(kind, line);
        !std::mem::replace(&mut state.writer_awake, true)
    }

    /// Takes the oldest batch. After `None` the writer may sleep, and is woken for the next line.
    pub(super) fn take(&self) -> Option<Batch> {
        let mut state = self.state.lock();
        let Some(batch) = state.waiting.pop_front() else {
            state.writer_awake = false;
            return None;
        };
        batch.lines.iter().for_each(|(kind, _)| state.in_flight[*kind as usize] += 1);
        Some(batch)
    }

    /// Completes a batch from [`Self::take`]; `lost` are the kinds of its lines that were not written.
    pub(super) fn complete(&self, charge: usize, mut batch: Batch, lost: impl Iterator<Item = Kind>) {
        let mut state = self.state.lock();
        let mut written = std::mem::take(&mut state.in_flight);
        for kind in lost {
            written[kind as usize] -= 1;
            state.drop_record(kind);
        }
        add(&mut state.total_written, &written);
        state.queued -= charge;
        batch.bytes.clear();
        batch.lines.clear();
        if state.spare.len() < MAX_SPARE {
            // A long line forms its own batch, which may exceed the maximum.
            batch.bytes.shrink_to(MAX_BATCH);
            state.spare.push(batch);
        }
        if state.queued == 0 {
            self.drained.notify_all();
        }
    }

    /// Whether at least half of [`MAX_BATCH`] is queued: there is no need to wait for more lines.
    pub(super) fn has_half_batch(&self) -> bool {
        self.state.lock().waiting.iter().map(|batch| batch.bytes.len()).sum::<usize>() >= MAX_BATCH / 2
    }

    /// Counts a record of loss, which the writer writes itself.
    pub(super) fn count_written_loss_record(&self) {
        self.state.lock().total_written[Kind::Service as usize] += 1;
    }

    /// The counts since the start, and what waits.
    pub(super) fn counts(&self) -> SinkCounts {
        let state = self.state.lock();
        let waiting = state.waiting.iter().map(|batch| batch.lines.len() as u64).sum::<u64>();
        SinkCounts {
            records: sink_counts::by_kind(|kind| RecordCounts {
                written: state.total_written[kind as usize],
                dropped: state.total_dropped[kind as usize],
                ..RecordCounts::default()
            }),
            queue_bytes: state.queued as u64,
            queue_records: waiting + state.in_flight.iter().sum::<u64>(),
            ..SinkCounts::default()
        }
    }

    /// Returns dropped records, which the next record of loss counts, because this one could not be written.
    pub(super) fn count_dropped(&self, counts: &[(Kind, u64)]) {
        let mut state = self.state.lock();
        counts.iter().for_each(|(kind, count)| state.dropped[*kind as usize] += count);
    }

    pub(super) fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// Takes the counts of dropped records, if there are any to report.
    pub(super) fn take_dropped(&self) -> Option<Vec<(Kind, u64)>> {
        if self.silent.load(Ordering::Relaxed) {
            return None;
        }
        let counts = by_kind(&std::mem::take(&mut self.state.lock().dropped));
        (!counts.is_empty()).then_some(counts)
    }

    /// Waits until all lines are written, at most until the deadline. Returns whether they are, and the undelivered records.
    pub(super) fn wait_drained(&self, deadline: Instant) -> (bool, Vec<(Kind, u64)>) {
        let mut state = self.state.lock();
        self.drained.wait_while_until(&mut state, |state| state.queued > 0, deadline);
        (state.queued == 0, state.undelivered())
    }
}

impl State {
    /// Records that have been neither written nor reported as lost.
    fn undelivered(&self) -> Vec<(Kind, u64)> {
        let mut counts = self.dropped;
        for (count, in_flight) in counts.iter_mut().zip(self.in_flight) {
            *count += in_flight;
        }
        let waiting = self.waiting.iter().flat_map(|batch| &batch.lines);
        waiting.for_each(|(kind, _)| counts[*kind as usize] += 1);
        by_kind(&counts)
    }

    fn drop_record(&mut self, kind: Kind) {
        self.dropped[kind as usize] += 1;
        self.total_dropped[kind as usize] += 1;
    }

    fn append(&mut self, kind: Kind, line: &[u8]) {
        if !self.waiting.back().is_some_and(|batch| batch.has_room(line)) {
            let batch =
                self.spare.pop().unwrap_or_else(|| Batch { bytes: Vec::with_capacity(MAX_BATCH), lines: Vec::new() });
            self.waiting.push_back(batch);
        }
        let batch = self.waiting.back_mut().expect("a batch has just been added");
        batch.bytes.extend_from_slice(line);
        batch.lines.push((kind, batch.bytes.len()));
        self.queued += line.len() + LINE_OVERHEAD;
    }
}

fn add(total: &mut Counts, more: &Counts) {
    total.iter_mut().zip(more).for_each(|(total, more)| *total += more);
}

fn by_kind(counts: &Counts) -> Vec<(Kind, u64)> {
    Kind::ALL.into_iter().zip(*counts).filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn take(batches: &Batches) -> (String, Vec<Kind>) {
        let batch = batches.take().expect("lines are queued");
        let taken = (String::from_utf8_lossy(&batch.bytes).into_owned(), batch.lines.iter().map(|(kind, _)| *kind));
        let taken = (taken.0, taken.1.collect());
        batches.complete(batch.charge(), batch, [].into_iter());
        taken
    }

    fn undelivered(batches: &Batches) -> Vec<(Kind, u64)> {
        batches.wait_drained(Instant::now()).1
    }

    #[test]
    fn responses_are_dropped_first_and_warnings_last() {
        let batches = Batches::new(800);
        let line = [b'x'; 100 - LINE_OVERHEAD];
        let accepted = |kind, level| {
            let push = |_: &u32| {
                batches.push(kind, level, &line);
                batches.take_dropped().is_none()
            };
            (0..10).take_while(push).count()
        };
        assert_eq!(accepted(Kind::Response, Level::Error), 6);
        assert_eq!(accepted(Kind::Line, Level::Info), 1);
        assert_eq!(accepted(Kind::Line, Level::Warning), 1);
        assert_eq!(undelivered(&batches), [(Kind::Line, 2), (Kind::Response, 6)]);
    }

    #[test]
    fn a_line_that_fits_exactly_is_accepted() {
        let batches = Batches::new(10 + LINE_OVERHEAD);
        batches.push(Kind::Line, Level::Error, b"0123456789+");
        assert_eq!(batches.take_dropped(), Some(vec![(Kind::Line, 1)]));
        batches.push(Kind::Line, Level::Error, b"0123456789");
        assert_eq!(batches.take_dropped(), None);
        assert_eq!(take(&batches), ("0123456789".into(), vec![Kind::Line]));
        batches.push(Kind::Line, Level::Error, b"9876543210");
        assert_eq!(batches.take_dropped(), None, "there is room again");
    }

    #[test]
    fn the_writer_is_woken_once() {
        let batches = Batches::new(1 << 20);
        assert!(batches.push(Kind::Line, Level::Info, b"one\n"));
        assert!(!batches.push(Kind::Response, Level::Info, b"two\n"));
        assert_eq!(take(&batches), ("one\ntwo\n".into(), vec![Kind::Line, Kind::Response]));
        assert!(!batches.push(Kind::Line, Level::Info, b"three\n"), "it is still awake");
        assert_eq!(take(&batches).0, "three\n");
        assert!(batches.take().is_none());
        assert!(batches.push(Kind::Line, Level::Info, b"four\n"));
    }

    #[test]
    fn a_batch_is_limited_to_one_write() {
        let batches = Batches::new(1 << 20);
        let half = vec![b'x'; MAX_BATCH / 2];
        batches.push(Kind::Line, Level::Info, &half[1..]);
        assert!(!batches.has_half_batch());
        batches.push(Kind::Line, Level::Info, b"y");
        assert!(batches.has_half_batch());
        batches.push(Kind::Line, Level::Info, &half);
        batches.push(Kind::Line, Level::Info, b"z");
        assert_eq!(take(&batches).0.len(), MAX_BATCH);
        assert_eq!(take(&batches).0, "z");
        assert!(!batches.has_half_batch());
    }

    #[test]
    fn batch_buffers_are_reused_and_shrunk() {
        let batches = Batches::new(1 << 30);
        let long = vec![b'x'; 2 * MAX_BATCH];
        (0..MAX_SPARE + 2).for_each(|_| _ = batches.push(Kind::Line, Level::Error, &long));
        while let Some(batch) = batches.take() {
            assert_eq!(batch.bytes.len(), long.len());
            batches.complete(batch.charge(), batch, [].into_iter());
        }
        let state = batches.state.lock();
        assert_eq!(state.spare.len(), MAX_SPARE);
        assert!(state.spare.iter().all(|batch| batch.bytes.is_empty() && batch.lines.is_empty()));
        assert!(state.spare.iter().all(|batch| batch.bytes.capacity() == MAX_BATCH));
        drop(state);
        batches.push(Kind::Line, Level::Info, b"one");
        assert_eq!(batches.state.lock().spare.len(), MAX_SPARE - 1);
    }

    #[test]
    fn undelivered_records_are_counted_by_kind() {
        let batches = Batches::new(400);
        for kind in [Kind::Line, Kind::Service, Kind::Line] {
            batches.push(kind, Level::Info, b"in flight");
        }
        let batch = batches.take().expect("three lines are queued");
        batches.push(Kind::Response, Level::Info, b"waiting");
        batches.push(Kind::Response, Level::Info, &[b'x'; 400]);
        batches.count_dropped(&[(Kind::Line, 5), (Kind::Message, 2)]);
        let (is_empty, counts) = batches.wait_drained(Instant::now());
        assert!(!is_empty);
        assert_eq!(counts, [(Kind::Line, 7), (Kind::Response, 2), (Kind::Message, 2), (Kind::Service, 1)]);
        batches.complete(batch.charge(), batch, [Kind::Line].into_iter());
        assert_eq!(undelivered(&batches), [(Kind::Line, 6), (Kind::Response, 2), (Kind::Message, 2)]);
        assert_eq!(
            batches.take_dropped(),
            Some(vec![(Kind::Line, 6), (Kind::Response, 1), (Kind::Message, 2)]),
            "queued records are not dropped"
        );
        assert_eq!(batches.take_dropped(), None);
        take(&batches);
        assert_eq!(batches.wait_drained(Instant::now()), (true, vec![]));
    }

    #[test]
    fn the_totals_remain_when_losses_are_reported() {
        let batches = Batches::new(400);
        for kind in [Kind::Line, Kind::Service, Kind::Line] {
            batches.push(kind, Level::Info, b"taken");
        }
        let batch = batches.take().expect("three lines are queued");
        batches.push(Kind::Response, Level::Info, b"waiting");
        batches.push(Kind::Response, Level::Info, &[b'x'; 400]);
        let counts = batches.counts();
        assert_eq!((counts.queue_bytes, counts.queue_records), ((22 + 4 * LINE_OVERHEAD) as u64, 4));
        batches.complete(batch.charge(), batch, [Kind::Line].into_iter());
        let losses = batches.take_dropped().expect("two records are dropped");
        // The record of loss cannot be written, and the next one counts the same records.
        batches.count_dropped(&losses);
        batches.take_dropped();
        batches.count_written_loss_record();
        take(&batches);
        let counts = batches.counts();
        let of = |kind: Kind| {
            let record =
                counts.records.iter().find(|record| record.kind == kind.as_str()).expect("every kind is counted");
            [record.written, record.dropped]
        };
        assert_eq!(
            [of(Kind::Line), of(Kind::Response), of(Kind::Service), of(Kind::Message)],
            [[1, 1], [1, 1], [2, 0], [0, 0]]
        );
        assert_eq!((counts.queue_bytes, counts.queue_records), (0, 0));
    }

    #[test]
    fn wait_drained_ends_when_empty_or_at_the_deadline() {
        let batches = Batches::new(1 << 20);
        batches.push(Kind::Line, Level::Info, b"one");
        batches.push(Kind::Line, Level::Info, &[b'x'; MAX_BATCH]);
        let begin = Instant::now();
        assert!(!batches.wait_drained(begin + Duration::from_millis(30)).0);
        assert!(begin.elapsed() >= Duration::from_millis(30));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                take(&batches);
                std::thread::sleep(Duration::from_millis(20));
                take(&batches);
            });
            assert!(batches.wait_drained(begin + Duration::from_secs(5)).0);
        });
        assert!(begin.elapsed() < Duration::from_secs(5), "it is notified");
    }
}
