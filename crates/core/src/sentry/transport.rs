//! Envelopes to Sentry, from a thread of their own.
//!
//! The SDK's own transport keeps 30 envelopes and then drops in silence, and can hang for good. This one has a queue bounded
//! in bytes and a timeout on everything, and says on stderr, in full, every event that it could not bring to Sentry.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sentry::protocol::{EnvelopeItem, Event};
use sentry::types::Dsn;
use sentry::{Envelope, Transport as SdkTransport, TransportFactory, TransportOptions};

use super::scrub;
use crate::record::{Detail, Kind, Level, Record};
use crate::redact::Redactor;
use crate::stderr;

/// Envelopes that wait may take this much memory.
const QUEUE_BYTES: usize = 32 << 20;
/// Tries for one envelope, and the pause before the second; it doubles.
const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// After a failure Sentry is left alone for so long, doubling up to the longest. Events go to stderr meanwhile.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// How long Sentry is left alone when it says that there is too much; the first when it does not say for how long.
const USUAL_WAIT: Duration = Duration::from_secs(60);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

pub(super) struct Factory {
    stderr: Arc<stderr::Sink>,
    redactor: Arc<Redactor>,
}

impl Factory {
    pub fn new(stderr: Arc<stderr::Sink>, redactor: Arc<Redactor>) -> Self {
        Self { stderr, redactor }
    }
}

impl TransportFactory for Factory {
    fn create_transport_with_options(&self, options: TransportOptions) -> Arc<dyn SdkTransport> {
        let shared =
            Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), stderr: Arc::clone(&self.stderr) });
        let endpoint = Endpoint::new(&options.dsn, &options.user_agent);
        let worker = Arc::clone(&shared);
        let work = move || {
            crate::subscriber::mute_this_thread();
            worker.run(&endpoint);
        };
        let thread = std::thread::Builder::new().name("sentry".into()).spawn(work);
        thread.expect("a process that cannot start a thread cannot serve");
        Arc::new(Transport(shared, Arc::clone(&self.redactor)))
    }
}

struct Transport(Arc<Shared>, Arc<Redactor>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stderr: Arc<stderr::Sink>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Parcel>,
    bytes: usize,
    /// A copy of what is being sent, for when it does not come back.
    in_flight: Option<Parcel>,
    closed: bool,
}

#[derive(Clone)]
struct Parcel {
    bytes: Arc<[u8]>,
    /// The event in it, to be written to stderr when all else fails; other envelopes have none.
    event: Option<Arc<Event<'static>>>,
}

impl Parcel {
    fn new(envelope: &Envelope) -> Option<Self> {
        let mut bytes = Vec::new();
        envelope.to_writer(&mut bytes).ok()?;
        let event = envelope.items().find_map(|item| match item {
            EnvelopeItem::Event(event) => Some(Arc::new((**event).clone())),
            _ => None,
        });
        Some(Self { bytes: bytes.into(), event })
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
        let Some(parcel) = Parcel::new(&scrubbed(&self.1, envelope)) else { return };
        let mut state = self.0.lock();
        if state.closed || state.bytes + parcel.bytes.len() > QUEUE_BYTES {
            drop(state);
            return self.0.give_up(parcel, "too many events were waiting");
        }
        state.bytes += parcel.bytes.len();
        state.waiting.push_back(parcel);
        drop(state);
        self.0.changed.notify_all();
    }

    fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.0.lock();
        while !state.waiting.is_empty() || state.in_flight.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return false;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Sends what is waiting until the timeout; what is left then is written to stderr.
    fn shutdown(&self, timeout: Duration) -> bool {
        let all_sent = self.flush(timeout);
        let mut state = self.0.lock();
        state.closed = true;
        let left: Vec<Parcel> = state.in_flight.take().into_iter().chain(std::mem::take(&mut state.waiting)).collect();
        drop(state);
        self.0.changed.notify_all();
        for parcel in left {
            self.0.give_up(parcel, "the service stopped before Sentry took it");
        }
        all_sent
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, endpoint: &Endpoint) {
        let mut rest = Rest::default();
        while let Some(parcel) = self.next() {
            let outcome = match rest.reason() {
                Some(reason) => Err(reason),
                None => self.deliver(endpoint, &parcel, &mut rest),
            };
            // Said before it counts as done: whoever waits for the end must find it said. At shutdown the copy has been
            // taken, and with it the duty to say it.
            let mut state = self.lock();
            if let (Err(reason), true) = (outcome, state.in_flight.is_some()) {
                self.give_up(parcel, &reason);
            }
            state.in_flight = None;
            drop(state);
            self.changed.notify_all();
        }
    }

    fn next(&self) -> Option<Parcel> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(parcel) = state.waiting.pop_front() {
                state.bytes -= parcel.bytes.len();
                state.in_flight = Some(parcel.clone());
                return Some(parcel);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn deliver(&self, endpoint: &Endpoint, parcel: &Parcel, rest: &mut Rest) -> Result<(), String> {
        let mut tries = 1;
        let mut pause = FIRST_PAUSE;
        loop {
            match endpoint.post(&parcel.bytes) {
                Ok(()) => {
                    rest.over();
                    return Ok(());
                }
                Err(Refusal::ForGood(reason)) => return Err(reason),
                Err(Refusal::NotBefore(reason, wait)) => {
                    rest.begin(reason.clone(), Some(wait));
                    return Err(reason);
                }
                Err(Refusal::ForNow(reason)) if tries == TRIES => {
                    rest.begin(reason.clone(), None);
                    return Err(reason);
                }
                Err(Refusal::ForNow(_)) if self.closes_within(pause) => {
                    return Err("the service stopped before Sentry took it".into());
                }
                Err(Refusal::ForNow(_)) => {
                    tries += 1;
                    pause *= 2;
                }
            }
        }
    }

    fn closes_within(&self, pause: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), pause, |state| !state.closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Not silent: an event that can be neither sent nor kept is on stderr in full.
    fn give_up(&self, parcel: Parcel, reason: &str) {
        let Some(event) = parcel.event else { return };
        let mut detail = serde_json::Map::new();
        detail.insert("reason".into(), reason.into());
        detail.insert("event".into(), serde_json::to_value(&*event).unwrap_or_default());
        self.stderr.write(&Record {
            at: Timestamp::now(),
            level: Level::Error,
            kind: Kind::Service,
            message: format!("an event did not reach Sentry: {reason}"),
            target: "cyanotype::sentry".into(),
            span: None,
            request: None,
            failure: None,
            event_id: None,
            detail: Detail::Service(detail),
        });
    }
}

/// The time in which Sentry is left alone.
#[derive(Default)]
struct Rest {
    until: Option<(Instant, String)>,
    last: Duration,
}

impl Rest {
    fn reason(&self) -> Option<String> {
        self.until.as_ref().filter(|(until, _)| Instant::now() < *until).map(|(_, reason)| reason.clone())
    }

    fn begin(&mut self, reason: String, wait: Option<Duration>) {
        self.last = (self.last * 2).clamp(FIRST_REST, LONGEST_REST);
        self.until = Some((Instant::now() + wait.unwrap_or(self.last), reason));
    }

    fn over(&mut self) {
        *self = Self::default();
    }
}

enum Refusal {
    /// Another try will meet the same answer.
    ForGood(String),
    /// Sentry named the time to wait.
    NotBefore(String, Duration),
    ForNow(String),
}

/// Where envelopes go.
struct Endpoint {
    agent: ureq::Agent,
    url: String,
    auth: String,
}

impl Endpoint {
    fn new(dsn: &Dsn, user_agent: &str) -> Self {
        // The proxy is the environment's, which is ureq's default.
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(2)))
            .timeout_global(Some(Duration::from_secs(5)))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(user_agent)
            .build();
        Self {
            agent: config.into(),
            url: dsn.envelope_api_url().to_string(),
            auth: dsn.to_auth(Some(user_agent)).to_string(),
        }
    }

    fn post(&self, envelope: &[u8]) -> Result<(), Refusal> {
        let request = self.agent.post(&self.url).header("X-Sentry-Auth", &self.auth);
        let answer = request.header("Content-Type", "application/x-sentry-envelope").send(envelope);
        let answer = answer.map_err(|error| Refusal::ForNow(error.to_string()))?;
        let status = answer.status();
        let reason = format!("Sentry answered {status}");
        match status.as_u16() {
            200..=299 => Ok(()),
            429 => {
                let seconds =
                    answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
                let wait = seconds.map_or(USUAL_WAIT, Duration::from_secs).min(LONGEST_WAIT);
                Err(Refusal::NotBefore(reason, wait))
            }
            408 | 500..=599 => Err(Refusal::ForNow(reason)),
            _ => Err(Refusal::ForGood(reason)),
        }
    }
}

/// Sends one event and waits for the answer.
pub(super) fn send_now(dsn: &Dsn, user_agent: &str, event: Event<'static>) -> Result<(), String> {
    let parcel = Parcel::new(&event.into()).ok_or("the event cannot be written")?;
    Endpoint::new(dsn, user_agent).post(&parcel.bytes).map_err(|refusal| match refusal {
        Refusal::ForGood(reason) | Refusal::NotBefore(reason, _) | Refusal::ForNow(reason) => reason,
    })
}
