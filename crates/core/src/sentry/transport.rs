//! The SDK's way to Sentry: a queue bounded in bytes, whose end is the courier.
//!
//! The SDK's own transport keeps 30 envelopes and then drops in silence, and can hang for good.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cyanotype_redact::Redactor;
use sentry::protocol::{EnvelopeItem, Event};
use sentry::types::Dsn;
use sentry::{Envelope, Transport as SdkTransport, TransportFactory, TransportOptions};

use super::courier::{Clock, Courier, Keeper};
use super::endpoint::{Category, Endpoint, Refusal};
use super::scrub;

/// Envelopes that wait may take this much memory.
const QUEUE_BYTES: usize = 32 << 20;

pub(super) struct Factory {
    keeper: Keeper,
    redactor: Arc<Redactor>,
}

impl Factory {
    pub fn new(keeper: Keeper, redactor: Arc<Redactor>) -> Self {
        Self { keeper, redactor }
    }
}

impl TransportFactory for Factory {
    fn create_transport_with_options(&self, options: TransportOptions) -> Arc<dyn SdkTransport> {
        let endpoint = Endpoint::new(&options.dsn, &options.user_agent);
        let redactor = Arc::clone(&self.redactor);
        Arc::new(Transport::start(endpoint, self.keeper.clone(), redactor, Arc::new(Instant::now)))
    }
}

pub(super) struct Transport {
    pub queue: Arc<Queue>,
    keeper: Keeper,
    redactor: Arc<Redactor>,
}

impl Transport {
    /// Starts the thread that sends what is queued.
    pub fn start(endpoint: Endpoint, keeper: Keeper, redactor: Arc<Redactor>, clock: Clock) -> Self {
        let queue = Arc::new(Queue::default());
        let courier = Courier::new(Arc::clone(&queue), endpoint, keeper.clone(), clock);
        let work = move || {
            crate::subscriber::mute_this_thread();
            courier.run();
        };
        let thread = std::thread::Builder::new().name("sentry".into()).spawn(work);
        thread.expect("a process that cannot start a thread cannot serve");
        Self { queue, keeper, redactor }
    }
}

/// What waits for the courier.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    pub changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub waiting: VecDeque<Parcel>,
    pub bytes: usize,
    /// A copy of what is being sent, for when it does not come back.
    pub in_flight: Option<Parcel>,
    /// Whether what was not taken is being kept.
    pub keeping: bool,
    pub closed: bool,
}

impl Queue {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone)]
pub(super) struct Parcel {
    pub bytes: Arc<[u8]>,
    pub category: Category,
    /// The event in it, to be written to stderr when all else fails; other envelopes have none.
    pub event: Option<Arc<Event<'static>>>,
}

impl Parcel {
    pub fn new(envelope: &Envelope) -> Option<Self> {
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

/// The envelope with its transactions scrubbed; events have been.
fn scrubbed(redactor: &Redactor, envelope: Envelope) -> Envelope {
    if !envelope.items().any(|item| matches!(item, EnvelopeItem::Transaction(_))) {
        return envelope;
    }
    let mut clean = Envelope::new();
    for item in envelope.items() {
        match item {
            EnvelopeItem::Transaction(transaction) => {
                let mut transaction = (**transaction).clone();
                scrub::transaction(redactor, &mut transaction);
                clean.add_item(transaction);
            }
            other => clean.add_item(other.clone()),
        }
    }
    clean
}

impl SdkTransport for Transport {
    fn send_envelope(&self, envelope: Envelope) {
        let Some(parcel) = Parcel::new(&scrubbed(&self.redactor, envelope)) else { return };
        let mut state = self.queue.lock();
        if state.closed || state.bytes + parcel.bytes.len() > QUEUE_BYTES {
            drop(state);
            return self.keeper.keep(&parcel, "too many events were waiting");
        }
        state.bytes += parcel.bytes.len();
        state.waiting.push_back(parcel);
        drop(state);
        self.queue.changed.notify_all();
    }

    fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.queue.lock();
        while !state.waiting.is_empty() || state.in_flight.is_some() || state.keeping {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return false;
            }
            state = self.queue.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Sends what is waiting until the timeout; what is left then is kept, or written to stderr.
    fn shutdown(&self, timeout: Duration) -> bool {
        let all_sent = self.flush(timeout);
        let mut state = self.queue.lock();
        state.closed = true;
        let left: Vec<Parcel> = state.in_flight.take().into_iter().chain(std::mem::take(&mut state.waiting)).collect();
        drop(state);
        self.queue.changed.notify_all();
        self.keeper.hurry();
        for parcel in left {
            self.keeper.keep(&parcel, "the service stopped before Sentry took it");
        }
        self.keeper.say_losses();
        all_sent
    }
}

/// Sends one event and waits for the answer.
pub(super) fn send_now(dsn: &Dsn, user_agent: &str, event: Event<'static>) -> Result<(), String> {
    let parcel = Parcel::new(&event.into()).ok_or("the event cannot be written")?;
    Endpoint::new(dsn, user_agent).post(&parcel.bytes).map_err(|refusal| match refusal {
        Refusal::ForGood(reason) | Refusal::ForNow(reason) => reason,
    })
}
