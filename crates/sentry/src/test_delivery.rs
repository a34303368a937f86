//! A transport for tests, with a fake endpoint, a test clock and an in-memory sink.

use std::sync::Arc;
use std::time::Duration;

use cyanotype_telemetry::FullEventRecords;
use sentry::Transport as _;

use super::category::Category;
use super::endpoint::Endpoint;
use super::fake_endpoint::{FakeEndpoint, Reply, eventually};
use super::fallback::Fallback;
use super::items::ItemFilter;
use super::queue::Queue;
use super::scrub::Scrubber;
use super::spool::Spool;
use super::test_support::{MemorySink, TempDir, TestClock, bytes, event, policy, transaction};
use super::transport::{QUEUE_BYTES, Transport};

pub(crate) const SPOOL_BYTES: u64 = 1 << 20;
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);

pub(crate) struct TestDelivery {
    pub transport: Transport,
    pub sink: Arc<MemorySink>,
    pub clock: TestClock,
    pub endpoint: FakeEndpoint,
}

impl TestDelivery {
    pub(crate) fn start(spool: Option<&TempDir>, script: impl IntoIterator<Item = Reply>) -> Self {
        let spool = spool.map(|dir| Spool::new(dir.path(), SPOOL_BYTES, 3600 * SECOND));
        Self::with_spool(spool, FakeEndpoint::start(script))
    }

    /// A paused transport with a spool.
    pub(crate) fn paused(dir: &TempDir) -> Self {
        let queue = Queue::new(QUEUE_BYTES);
        queue.set_paused(true);
        Self::with_queue(queue, Some(Spool::new(dir.path(), SPOOL_BYTES, 3600 * SECOND)), FakeEndpoint::start([]))
    }

    /// A transport without a spool, whose queue has this size.
    pub(crate) fn with_queue_bytes(max_bytes: usize, script: impl IntoIterator<Item = Reply>) -> Self {
        Self::with_queue(Queue::new(max_bytes), None, FakeEndpoint::start(script))
    }

    pub(crate) fn with_spool(spool: Option<Spool>, endpoint: FakeEndpoint) -> Self {
        Self::with_queue(Queue::new(QUEUE_BYTES), spool, endpoint)
    }

    fn with_queue(queue: Queue, spool: Option<Spool>, endpoint: FakeEndpoint) -> Self {
        let (sink, clock) = (Arc::new(MemorySink::default()), TestClock::new());
        let fallback =
            Fallback::new(Arc::clone(&sink) as _, FullEventRecords::json(usize::MAX), policy(), spool, clock.clock());
        let items = Arc::new(ItemFilter::new(Scrubber::for_tests()));
        let queue = Arc::new(queue);
        let (to, _) = Endpoint::new(&endpoint.dsn, "test", None, clock.clock());
        let transport = Transport::start(queue, to, fallback, items, clock.clock());
        Self { transport, sink, clock, endpoint }
    }

    pub(crate) fn send(&self, message: &str) {
        self.transport.send_envelope(event(message));
    }

    pub(crate) fn send_transaction(&self, name: &str) {
        self.transport.send_envelope(transaction(name));
    }

    /// Sends an event and waits until it is sent, spooled or written.
    pub(crate) fn deliver(&self, message: &str) {
        self.send(message);
        self.wait_idle();
    }

    /// Waits until all envelopes are sent, spooled or written.
    pub(crate) fn wait_idle(&self) {
        assert!(self.transport.flush(20 * SECOND), "the transport is not idle in time");
    }

    /// Advances the clock and makes the worker read it.
    pub(crate) fn advance(&self, by: Duration) {
        // Waits until the worker has finished its current work.
        self.transport.queue.wake();
        self.clock.advance(by);
        self.transport.queue.wake();
    }

    /// Waits until these envelopes, and no others, have been received.
    #[track_caller]
    pub(crate) fn assert_received(&self, expected: &[&str]) {
        eventually(&format!("{expected:?} received"), || self.endpoint.received().len() >= expected.len());
        assert_eq!(self.endpoint.messages(), expected);
    }
}

impl Drop for TestDelivery {
    fn drop(&mut self) {
        // Stops the thread.
        self.transport.shutdown(Duration::ZERO);
    }
}

/// Spools events, as an earlier process would.
pub(crate) fn fill_spool(dir: &TempDir, messages: &[&str]) {
    let mut spool = Spool::new(dir.path(), SPOOL_BYTES, 3600 * SECOND);
    for message in messages {
        spool.put(Category::Event, &bytes(&event(message))).expect("it is spooled");
    }
}
