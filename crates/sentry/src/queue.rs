//! Envelopes on their way to the worker: a queue that is bounded in bytes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use sentry::Envelope;
use sentry::protocol::{EnvelopeItem, Event};

use crate::clock::Clock;
use crate::endpoint::Category;

/// An envelope as it is sent.
#[derive(Clone)]
pub(crate) struct QueuedEnvelope {
    pub bytes: Arc<[u8]>,
    pub category: Category,
    /// The event in it, to be written to stderr when all else fails; other envelopes have none.
    pub event: Option<Arc<Event<'static>>>,
}

impl QueuedEnvelope {
    pub(crate) fn new(envelope: &Envelope) -> Option<Self> {
        let mut bytes = Vec::new();
        envelope.to_writer(&mut bytes).ok()?;
        let event = envelope.items().find_map(|item| match item {
            EnvelopeItem::Event(event) => Some(Arc::new((**event).clone())),
            _ => None,
        });
        let has_transaction = || envelope.items().any(|item| matches!(item, EnvelopeItem::Transaction(_)));
        let category = match event {
            Some(_) => Category::Event,
            None if has_transaction() => Category::Transaction,
            None => Category::Other,
        };
        Some(Self { bytes: bytes.into(), category, event })
    }
}

/// What the worker does next.
pub(crate) enum Next {
    /// Sends this one, and calls [`Queue::finish_delivery`] afterwards.
    Send(QueuedEnvelope),
    /// The time that it waited for has come.
    Due,
    /// Ends.
    Closed,
}

pub(crate) struct Queue {
    max_bytes: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<QueuedEnvelope>,
    /// Bytes of those that wait.
    bytes: usize,
    /// A copy of what is being sent; a shutdown takes it when that takes too long.
    in_flight: Option<QueuedEnvelope>,
    /// Whether what was not delivered is being spooled or written.
    finishing: bool,
    closed: bool,
    /// Whether the mode is without Sentry: what waits goes on waiting.
    paused: bool,
    /// Whether a pause has just ended: then there may be something due that was not before.
    resumed: bool,
}

impl State {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.has_none_in_flight()
    }

    /// Whether nothing is being delivered or settled.
    fn has_none_in_flight(&self) -> bool {
        self.in_flight.is_none() && !self.finishing
    }
}

impl Queue {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Queues an envelope; returns it when there is no room, or the queue is closed.
    pub(crate) fn push(&self, envelope: QueuedEnvelope) -> Result<(), QueuedEnvelope> {
        let mut state = self.state.lock();
        if state.closed || state.bytes + envelope.bytes.len() > self.max_bytes {
            return Err(envelope);
        }
        state.bytes += envelope.bytes.len();
        state.waiting.push_back(envelope);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Waits for an envelope, at most until the time given; what is due goes first.
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
                && let Some(envelope) = state.waiting.pop_front()
            {
                state.bytes -= envelope.bytes.len();
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

    /// Ends the delivery of the envelope in flight. When a shutdown has not taken it over, `fallback` is called first: who
    /// waits for the end must find what it did. It is called without the lock, for a disk takes its time.
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

    /// Waits until everything is delivered or settled, at most until the deadline; while it is paused, for no more than what is
    /// in flight.
    pub(crate) fn wait_idle(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        let goes_on = |state: &mut State| !(state.is_idle() || state.paused && state.has_none_in_flight());
        self.changed.wait_while_until(&mut state, goes_on, deadline);
        state.is_idle()
    }

    /// Pauses, or goes on.
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

    /// Puts the envelope in flight back, as the next one, if the queue is paused; returns whether it did.
    pub(crate) fn requeue_if_paused(&self) -> bool {
        let mut state = self.state.lock();
        if !state.paused {
            return false;
        }
        // A shutdown may have taken it over.
        if let Some(envelope) = state.in_flight.take() {
            state.bytes += envelope.bytes.len();
            state.waiting.push_front(envelope);
        }
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Waits for so long unless the queue is closed or paused; returns whether it is.
    pub(crate) fn wait_interrupted(&self, pause: Duration) -> bool {
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, |state| !state.closed && !state.paused, pause);
        state.closed || state.paused
    }

    /// Closes the queue, and takes what is in flight and what waits.
    pub(crate) fn close(&self) -> Vec<QueuedEnvelope> {
        let mut state = self.state.lock();
        state.closed = true;
        let left = state.in_flight.take().into_iter().chain(std::mem::take(&mut state.waiting)).collect();
        drop(state);
        self.changed.notify_all();
        left
    }

    /// Whether nothing is being delivered or settled.
    #[cfg(test)]
    pub(crate) fn is_quiescent(&self) -> bool {
        self.state.lock().has_none_in_flight()
    }

    /// Has the worker read the clock again, once it waits.
    #[cfg(test)]
    pub(crate) fn wake(&self) {
        crate::fake_endpoint::eventually("the worker waits", || {
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
        queue.push(queued(message)).is_ok()
    }

    /// The message of the next envelope; `due` or `closed` without one.
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
    fn the_category_is_that_of_the_content() {
        let envelope = queued("one");
        assert_eq!(envelope.category, Category::Event);
        assert_eq!(envelope.event.expect("it has one").message.as_deref(), Some("one"));
        let envelope = QueuedEnvelope::new(&transaction("GET /")).expect("it can be written");
        assert_eq!((envelope.category, envelope.event.is_some()), (Category::Transaction, false));
        let attachment = sentry::protocol::Attachment::default();
        let mut envelope = Envelope::new();
        envelope.add_item(attachment);
        let envelope = QueuedEnvelope::new(&envelope).expect("it can be written");
        assert_eq!((envelope.category, envelope.event.is_some()), (Category::Other, false));
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
        assert!(!push(&queue, "seven"), "it is longer than what left");
        assert!(push(&queue, "six"));
        assert!(!push(&queue, "ten"));
        let envelope = queue.push(queued("ten")).expect_err("it is full");
        assert_eq!(message(&envelope.bytes), "ten", "it is returned");
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
        assert!(!is_idle(&queue), "it waits");
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
