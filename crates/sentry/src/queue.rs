//! The queue of envelopes for the transport worker, with a limit in bytes. Events precede everything else.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::clock::Clock;
use crate::queued_envelope::QueuedEnvelope;

/// The next action of the worker.
pub(crate) enum Next {
    /// Send this envelope, then call [`Queue::finish_delivery`].
    Send(QueuedEnvelope),
    /// Do the work that is due.
    Due,
    /// Stop.
    Closed,
}

pub(crate) struct Queue {
    max_bytes: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The waiting envelopes with an event.
    events: Lane,
    /// The other waiting envelopes.
    others: Lane,
    /// A copy of the envelope that is being sent. A shutdown takes it over if sending exceeds the deadline.
    in_flight: Option<QueuedEnvelope>,
    /// Whether an undelivered envelope is being spooled or written.
    finishing: bool,
    closed: bool,
    /// Whether the mode excludes Sentry. Queued envelopes remain queued.
    paused: bool,
    /// Whether a pause has just ended, which may make other work due.
    resumed: bool,
}

/// Envelopes in order.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<QueuedEnvelope>,
    /// Their total size.
    bytes: usize,
}

impl Lane {
    fn push_back(&mut self, envelope: QueuedEnvelope) {
        self.bytes += envelope.bytes.len();
        self.waiting.push_back(envelope);
    }

    fn push_front(&mut self, envelope: QueuedEnvelope) {
        self.bytes += envelope.bytes.len();
        self.waiting.push_front(envelope);
    }

    fn pop_front(&mut self) -> Option<QueuedEnvelope> {
        let envelope = self.waiting.pop_front()?;
        self.bytes -= envelope.bytes.len();
        Some(envelope)
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.events.waiting.is_empty() && self.others.waiting.is_empty() && self.has_none_in_flight()
    }

    fn lane(&mut self, envelope: &QueuedEnvelope) -> &mut Lane {
        if envelope.is_event() { &mut self.events } else { &mut self.others }
    }

    /// Whether no envelope is being sent, spooled or written.
    fn has_none_in_flight(&self) -> bool {
        self.in_flight.is_none() && !self.finishing
    }
}

impl Queue {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Queues an envelope. Returns what does not fit: the envelope itself, or the oldest others that gave way to an event.
    #[must_use]
    pub(crate) fn push(&self, envelope: QueuedEnvelope) -> Vec<QueuedEnvelope> {
        let size = envelope.bytes.len();
        let mut state = self.state.lock();
        let displaceable = if envelope.is_event() { state.others.bytes } else { 0 };
        if state.closed || state.events.bytes + state.others.bytes - displaceable + size > self.max_bytes {
            return vec![envelope];
        }
        let mut displaced = Vec::new();
        while state.events.bytes + state.others.bytes + size > self.max_bytes {
            displaced.extend(state.others.pop_front());
        }
        state.lane(&envelope).push_back(envelope);
        drop(state);
        self.changed.notify_all();
        displaced
    }

    /// Waits for an envelope, at most until `due`. Due work precedes envelopes.
    pub(crate) fn next(&self, clock: &Clock, due: Option<Instant>) -> Next {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Next::Closed;
            }
            let left = due.map(|due| due.saturating_duration_since(clock()));
            if std::mem::take(&mut state.resumed) || left.is_some_and(|left| left.is_zero()) {
                return Next::Due;
            }
            if !state.paused
                && let Some(envelope) = state.events.pop_front().or_else(|| state.others.pop_front())
            {
                state.in_flight = Some(envelope.clone());
                return Next::Send(envelope);
            }
            match left {
                Some(left) => {
                    self.changed.wait_for(&mut state, left);
                }
                None => self.changed.wait(&mut state),
            }
        }
    }

    /// Finishes the delivery of the envelope in flight. Calls `fallback` first, unless a shutdown has taken the envelope over, so
    /// that callers of [`Self::wait_idle`] observe its effects. The lock is not held during the call, which may write to disk.
    pub(crate) fn finish_delivery(&self, fallback: impl FnOnce()) {
        let mut state = self.state.lock();
        let is_ours = state.in_flight.take().is_some();
        state.finishing = true;
        drop(state);
        if is_ours {
            fallback();
        }
        self.state.lock().finishing = false;
        self.changed.notify_all();
    }

    /// Waits until all envelopes are sent, spooled or written, at most until the deadline. While the queue is paused, waits only
    /// for the envelope in flight.
    pub(crate) fn wait_idle(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        let is_busy = |state: &mut State| !(state.is_idle() || state.paused && state.has_none_in_flight());
        self.changed.wait_while_until(&mut state, is_busy, deadline);
        state.is_idle()
    }

    /// Pauses or resumes the queue.
    pub(crate) fn set_paused(&self, paused: bool) {
        let mut state = self.state.lock();
        state.resumed = state.paused && !paused;
        state.paused = paused;
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.state.lock().paused
    }

    /// If the queue is paused, returns the envelope in flight to the front of the queue. Returns whether the queue is paused.
    pub(crate) fn requeue_if_paused(&self) -> bool {
        let mut state = self.state.lock();
        if !state.paused {
            return false;
        }
        // A shutdown may have taken it over.
        if let Some(envelope) = state.in_flight.take() {
            state.lane(&envelope).push_front(envelope);
        }
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Waits for a duration. Returns early, with `true`, if the queue is closed or paused.
    pub(crate) fn wait_interrupted(&self, duration: Duration) -> bool {
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, |state| !state.closed && !state.paused, duration);
        state.closed || state.paused
    }

    /// Closes the queue, and returns the envelope in flight and the queued ones.
    pub(crate) fn close(&self) -> Vec<QueuedEnvelope> {
        let mut state = self.state.lock();
        state.closed = true;
        let (events, others) = (std::mem::take(&mut state.events), std::mem::take(&mut state.others));
        let left = state.in_flight.take().into_iter().chain(events.waiting).chain(others.waiting).collect();
        drop(state);
        self.changed.notify_all();
        left
    }

    /// The size in bytes and the number of the envelopes that wait, and of the one that is being sent.
    pub(crate) fn size(&self) -> (u64, u64) {
        let state = self.state.lock();
        let in_flight = state.in_flight.as_ref().map_or(0, |envelope| envelope.bytes.len());
        let envelopes =
            state.events.waiting.len() + state.others.waiting.len() + usize::from(state.in_flight.is_some());
        ((state.events.bytes + state.others.bytes + in_flight) as u64, envelopes as u64)
    }

    /// Whether no envelope is being sent, spooled or written.
    #[cfg(test)]
    pub(crate) fn is_quiescent(&self) -> bool {
        self.state.lock().has_none_in_flight()
    }

    /// Makes the worker read the clock again, once it is waiting.
    #[cfg(test)]
    pub(crate) fn wake(&self) {
        crate::fake_endpoint::eventually("the worker is waiting", || {
            drop(self.state.lock());
            self.changed.notify_all() > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake_endpoint::message;
    use super::super::test_support::{TestClock, event, transaction};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn queued(message: &str) -> QueuedEnvelope {
        QueuedEnvelope::new(&event(message)).expect("it can be written")
    }

    fn push(queue: &Queue, message: &str) -> bool {
        queue.push(queued(message)).is_empty()
    }

    /// The message of the next envelope, or `due` or `closed`.
    fn next(queue: &Queue, due: Option<Instant>) -> String {
        let clock = TestClock::new();
        match queue.next(&clock.clock(), due) {
            Next::Send(envelope) => message(&envelope.bytes),
            Next::Due => "due".into(),
            Next::Closed => "closed".into(),
        }
    }

    fn is_idle(queue: &Queue) -> bool {
        queue.wait_idle(Instant::now())
    }

    #[test]
    fn the_size_includes_the_envelope_in_flight() {
        let queue = Queue::new(1 << 20);
        assert_eq!(queue.size(), (0, 0));
        let (one, two) = (queued("one"), QueuedEnvelope::new(&transaction("GET /")).expect("it can be written"));
        let bytes = (one.bytes.len() + two.bytes.len()) as u64;
        assert!(queue.push(one).is_empty() && queue.push(two).is_empty());
        assert!(matches!(queue.next(&crate::clock::system(), None), Next::Send(_)));
        assert_eq!(queue.size(), (bytes, 2));
        queue.finish_delivery(|| ());
        assert_eq!(queue.size().1, 1);
    }

    #[test]
    fn due_work_precedes_envelopes_in_order() {
        let queue = Queue::new(1 << 20);
        assert!(push(&queue, "one") && push(&queue, "two"));
        let past = Instant::now() - SECOND;
        assert_eq!(next(&queue, Some(past)), "due");
        assert_eq!(next(&queue, Some(past + 60 * SECOND)), "one");
        assert_eq!(next(&queue, None), "two");
    }

    #[test]
    fn capacity_is_counted_in_bytes_and_released() {
        let size = queued("one").bytes.len();
        let queue = Queue::new(2 * size);
        assert!(push(&queue, "one") && push(&queue, "two"));
        assert!(!push(&queue, "six"));
        next(&queue, None);
        assert!(!push(&queue, "seven"), "it is longer than the envelope that was removed");
        assert!(push(&queue, "six"));
        assert!(!push(&queue, "ten"));
        let rejected = queue.push(queued("ten"));
        assert_eq!(message(&rejected[0].bytes), "ten", "it is returned");
    }

    #[test]
    fn events_precede_and_displace_others() {
        let named = |name: &str| QueuedEnvelope::new(&transaction(name)).expect("it can be written");
        let (event_size, other_size) = (queued("one").bytes.len(), named("GET /1").bytes.len());
        let queue = Queue::new(event_size + 2 * other_size);
        assert!(queue.push(named("GET /1")).is_empty() && queue.push(named("GET /2")).is_empty());
        assert!(push(&queue, "one"));
        assert_eq!(message(&queue.push(named("GET /3"))[0].bytes), "GET /3", "it displaces nothing");
        let displaced = queue.push(queued("two"));
        let displaced: Vec<_> = displaced.iter().map(|envelope| message(&envelope.bytes)).collect();
        assert_eq!(displaced[0], "GET /1", "the oldest gives way");
        let large = queued(&"x".repeat(event_size + 2 * other_size));
        assert_eq!(queue.push(large).len(), 1, "nothing gives way to an event that cannot fit");
        let left = 2 - displaced.len();
        assert_eq!([next(&queue, None), next(&queue, None)], ["one", "two"]);
        assert_eq!(queue.close().len(), 1 + left, "the envelope in flight, and what was not displaced");
    }

    #[test]
    fn an_envelope_larger_than_the_capacity_is_rejected() {
        let queue = Queue::new(queued("one").bytes.len() - 1);
        assert!(!push(&queue, "one"));
    }

    #[test]
    fn a_queue_is_idle_when_nothing_is_queued_in_flight_or_finishing() {
        let queue = Queue::new(1 << 20);
        assert!(is_idle(&queue));
        push(&queue, "one");
        assert!(!is_idle(&queue), "it is queued");
        next(&queue, None);
        assert!(!is_idle(&queue), "it is in flight");
        let mut settled = false;
        queue.finish_delivery(|| {
            assert!(!is_idle(&queue), "it is finishing");
            settled = true;
        });
        assert!(settled && is_idle(&queue));
    }

    #[test]
    fn the_end_of_a_delivery_wakes_waiters() {
        let queue = Queue::new(1 << 20);
        push(&queue, "one");
        next(&queue, None);
        let begin = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                queue.finish_delivery(|| {});
            });
            assert!(queue.wait_idle(begin + 5 * SECOND));
        });
        assert!(begin.elapsed() < 5 * SECOND);
        push(&queue, "two");
        let begin = Instant::now();
        assert!(!queue.wait_idle(begin + Duration::from_millis(20)));
        assert!(begin.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn closing_returns_the_remaining_envelopes_and_rejects_new_ones() {
        let queue = Queue::new(1 << 20);
        ["one", "two", "three"].iter().for_each(|message| _ = push(&queue, message));
        next(&queue, None);
        let left: Vec<_> = queue.close().iter().map(|envelope| message(&envelope.bytes)).collect();
        assert_eq!(left, ["one", "two", "three"]);
        assert_eq!(next(&queue, Some(Instant::now() - SECOND)), "closed");
        assert!(!push(&queue, "four"));
        queue.finish_delivery(|| panic!("the shutdown has taken it over"));
        assert!(is_idle(&queue) && queue.close().is_empty());
    }

    #[test]
    fn closing_interrupts_a_wait() {
        let queue = Queue::new(1 << 20);
        let begin = Instant::now();
        assert!(!queue.wait_interrupted(Duration::from_millis(20)));
        assert!(begin.elapsed() >= Duration::from_millis(20));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                queue.close();
            });
            assert!(queue.wait_interrupted(5 * SECOND));
        });
        assert!(begin.elapsed() < 5 * SECOND);
        assert!(queue.wait_interrupted(5 * SECOND) && begin.elapsed() < 5 * SECOND);
    }
}
