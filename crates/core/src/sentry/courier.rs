//! The thread that brings envelopes to Sentry, and what becomes of those that Sentry does not take.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sentry::Envelope;
use serde_json::{Map, Value};

use super::endpoint::{Endpoint, Refusal};
use super::spool::{Claim, Losses, Spool};
use super::transport::{Parcel, Queue};
use crate::record::{Detail, Kind, Level, Policy, Record};
use crate::settings::Settings;
use crate::stderr;

/// Tries for one envelope, and the pause before the second; it doubles.
const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// After a failure Sentry is left alone for so long, doubling up to the longest. Events are kept meanwhile.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// Between two envelopes of the spool: 50 a second, so that a day's worth does not look like an attack.
const SPOOL_PACE: Duration = Duration::from_millis(20);
/// How often the spool is looked at when it was empty: another process may have left something.
const SPOOL_LOOK: Duration = Duration::from_secs(5);

/// When the first of the spool has failed so often, another is tried before it.
const SUSPECT: u32 = 3;
/// Losses of so long are said together.
const GATHER_LOSSES: Duration = Duration::from_secs(1);

/// Reads the time; tests advance theirs themselves.
pub(super) type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Where lines go, such as stderr.
pub(super) trait LineSink: Send + Sync {
    /// Writes one record; never blocks.
    fn write(&self, record: &Record);
}

impl LineSink for stderr::Sink {
    fn write(&self, record: &Record) {
        self.write(record);
    }
}

pub(super) struct Courier {
    queue: Arc<Queue>,
    endpoint: Endpoint,
    keeper: Keeper,
    clock: Clock,
    rest: Rest,
    /// When the spool is looked at again.
    spool_turn: Instant,
    /// How often the first of the spool was not taken, one time after the other.
    first_failed: u32,
}

impl Courier {
    pub fn new(queue: Arc<Queue>, endpoint: Endpoint, keeper: Keeper, clock: Clock) -> Self {
        let spool_turn = clock();
        Self { queue, endpoint, keeper, clock, rest: Rest::default(), spool_turn, first_failed: 0 }
    }

    /// Brings what comes until the queue is closed.
    pub fn run(mut self) {
        while let Some(turn) = self.next() {
            // A panic has been reported by its hook, and ends no more than the delivery it happened in.
            let done = catch_unwind(AssertUnwindSafe(|| match &turn {
                Turn::Queue(parcel) => self.bring(parcel),
                Turn::Spool => self.empty_spool(),
                Turn::Losses => Ok(()),
            }));
            if let Turn::Queue(parcel) = &turn {
                self.settle(parcel, done.unwrap_or_else(|_| Err(Kept::No("the delivery panicked".into()))));
            }
            if self.keeper.losses_due().is_some_and(|due| due <= (self.clock)()) {
                self.keeper.say_losses();
            }
        }
    }

    /// Keeps what was not taken. At shutdown the copy has been taken away, and with it the duty to keep it.
    fn settle(&self, parcel: &Parcel, outcome: Result<(), Kept>) {
        let mut state = self.queue.lock();
        let is_ours = state.in_flight.take().is_some();
        // Not done before it is kept: whoever waits for the end must find it. Not under the lock: a disk takes its time.
        state.keeping = true;
        drop(state);
        match outcome {
            Err(Kept::Spool(reason)) if is_ours => self.keeper.keep(parcel, &reason),
            Err(Kept::No(reason)) if is_ours => self.keeper.give_up(parcel, &reason),
            _ => {}
        }
        self.queue.lock().keeping = false;
        self.queue.changed.notify_all();
    }

    /// Waits for something to bring; `None` at the end.
    fn next(&self) -> Option<Turn> {
        let mut state = self.queue.lock();
        loop {
            if state.closed {
                return None;
            }
            let now = (self.clock)();
            let due = self.keeper.spool.as_ref().map(|_| self.spool_turn.max(self.rest.until.unwrap_or(now)));
            if due.is_some_and(|due| due <= now) {
                return Some(Turn::Spool);
            }
            let losses_due = self.keeper.losses_due();
            if losses_due.is_some_and(|due| due <= now) {
                return Some(Turn::Losses);
            }
            if let Some(parcel) = state.waiting.pop_front() {
                state.bytes -= parcel.bytes.len();
                state.in_flight = Some(parcel.clone());
                return Some(Turn::Queue(parcel));
            }
            let changed = &self.queue.changed;
            state = match [due, losses_due].into_iter().flatten().min() {
                Some(due) => changed.wait_timeout(state, due - now).unwrap_or_else(PoisonError::into_inner).0,
                None => changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn bring(&mut self, parcel: &Parcel) -> Result<(), Kept> {
        if let Some(reason) = self.rest.reason((self.clock)()) {
            return Err(Kept::Spool(reason));
        }
        if self.endpoint.wait(parcel.category).is_some() {
            return Err(Kept::Spool("Sentry asked for fewer".into()));
        }
        let mut tries = 1;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.endpoint.post(&parcel.bytes) {
                Ok(()) => {
                    self.taken();
                    return Ok(());
                }
                Err(Refusal::ForGood(reason)) => return Err(Kept::No(reason)),
                Err(Refusal::ForNow(reason)) if tries == TRIES || self.endpoint.wait(parcel.category).is_some() => {
                    self.leave_alone(reason.clone(), self.endpoint.wait(parcel.category));
                    return Err(Kept::Spool(reason));
                }
                Err(Refusal::ForNow(_)) if self.closes_within(pause) => {
                    return Err(Kept::Spool("the service stopped before Sentry took it".into()));
                }
                Err(Refusal::ForNow(_)) => {
                    tries += 1;
                    pause *= 2;
                }
            }
        }
    }

    /// Brings the oldest of the spool, if there is one.
    fn empty_spool(&mut self) -> Result<(), Kept> {
        self.spool_turn = (self.clock)() + SPOOL_LOOK;
        // Sentry may be well, and fail at this one event: then the next one tells.
        let but_for = usize::from(self.first_failed >= SUSPECT);
        let claimed = self.keeper.claim(but_for);
        let Some(claim) = claimed.or_else(|| if but_for > 0 { self.keeper.claim(0) } else { None }) else {
            return Ok(());
        };
        if let Some(wait) = self.endpoint.wait(claim.category) {
            self.spool_turn = (self.clock)() + wait;
            return Ok(());
        }
        match self.endpoint.post(&claim.bytes) {
            Ok(()) => {
                self.taken();
                self.keeper.done(claim);
                if but_for > 0 {
                    self.keeper.postpone_first();
                }
                self.first_failed = 0;
                self.spool_turn = (self.clock)() + SPOOL_PACE;
            }
            Err(Refusal::ForGood(reason)) => {
                if let Some(parcel) = Envelope::from_slice(&claim.bytes).ok().as_ref().and_then(Parcel::new) {
                    self.keeper.give_up(&parcel, &reason);
                }
                self.keeper.done(claim);
                self.spool_turn = (self.clock)() + SPOOL_PACE;
            }
            Err(Refusal::ForNow(reason)) => {
                let wait = self.endpoint.wait(claim.category);
                self.first_failed += 1;
                self.leave_alone(reason, wait);
            }
        }
        Ok(())
    }

    fn taken(&mut self) {
        if self.rest.last > Duration::ZERO {
            self.rest = Rest::default();
            self.keeper.mention(Level::Info, "Sentry takes events again".into(), Map::new());
        }
    }

    fn leave_alone(&mut self, reason: String, wait: Option<Duration>) {
        if let Some(spool) = self.keeper.spool.as_ref().filter(|_| self.rest.last == Duration::ZERO) {
            let dir = spool.lock().unwrap_or_else(PoisonError::into_inner).dir().display().to_string();
            let said = Map::from_iter([("reason".to_owned(), Value::from(reason.clone()))]);
            self.keeper.mention(Level::Warning, format!("Sentry takes no events; they are kept in {dir}"), said);
        }
        self.rest.begin((self.clock)(), reason, wait);
        self.spool_turn = (self.clock)();
    }

    fn closes_within(&self, pause: Duration) -> bool {
        let waited = self.queue.changed.wait_timeout_while(self.queue.lock(), pause, |state| !state.closed);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }
}

/// What is to be brought next.
enum Turn {
    Queue(Parcel),
    Spool,
    /// Nothing to bring, but something to say.
    Losses,
}

/// What becomes of an envelope that was not taken, and why it was not.
enum Kept {
    Spool(String),
    No(String),
}

/// The time in which Sentry is left alone.
#[derive(Default)]
struct Rest {
    until: Option<Instant>,
    reason: String,
    last: Duration,
}

impl Rest {
    fn reason(&self, now: Instant) -> Option<String> {
        self.until.filter(|until| now < *until).map(|_| self.reason.clone())
    }

    fn begin(&mut self, now: Instant, reason: String, wait: Option<Duration>) {
        self.last = (self.last * 2).clamp(FIRST_REST, LONGEST_REST);
        self.until = Some(now + wait.unwrap_or(self.last));
        self.reason = reason;
    }
}

/// Has what Sentry did not take: the spool where there is one, else stderr.
#[derive(Clone)]
pub(super) struct Keeper {
    stderr: Arc<dyn LineSink>,
    policy: Policy,
    spool: Option<Arc<Mutex<Spool>>>,
    /// What is to be said, and when.
    losses: Arc<Mutex<(Losses, Option<Instant>)>>,
    clock: Clock,
}

impl Keeper {
    pub fn of(settings: &Settings, stderr: Arc<stderr::Sink>) -> Self {
        let sentry = &settings.sentry;
        let spool = sentry.spool_dir.as_deref().map(Path::new);
        let spool = spool.map(|dir| Spool::new(dir, sentry.spool_max_bytes, sentry.spool_max_age()));
        Self::new(stderr, Policy::of(settings), spool, Arc::new(Instant::now))
    }

    pub fn new(stderr: Arc<dyn LineSink>, policy: Policy, spool: Option<Spool>, clock: Clock) -> Self {
        let spool = spool.map(|spool| Arc::new(Mutex::new(spool)));
        Self { stderr, policy, spool, losses: Arc::default(), clock }
    }

    fn spool(&self) -> Option<MutexGuard<'_, Spool>> {
        self.spool.as_ref().map(|spool| spool.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps an envelope until Sentry takes it; where it cannot, it is on stderr.
    pub fn keep(&self, parcel: &Parcel, reason: &str) {
        let Some(mut spool) = self.spool() else { return self.give_up(parcel, reason) };
        let put = spool.put(parcel.category, &parcel.bytes);
        drop(spool);
        match put {
            Ok(losses) => self.count(losses),
            Err(error) => self.give_up(parcel, &format!("{reason}, and it could not be kept: {error}")),
        }
    }

    /// Keeps one more when everything else has ended, and stderr too.
    pub fn keep_last(&self, envelope: &Envelope) {
        if let (Some(mut spool), Some(parcel)) = (self.spool(), Parcel::new(envelope)) {
            // There is nobody left to tell.
            let _ = spool.put(parcel.category, &parcel.bytes);
        }
    }

    /// The process ends: what is kept from now on is not waited for.
    pub fn hurry(&self) {
        if let Some(mut spool) = self.spool() {
            spool.hurry();
        }
    }

    fn postpone_first(&self) {
        if let Some(mut spool) = self.spool() {
            spool.postpone_first();
        }
    }

    fn claim(&self, but_for: usize) -> Option<Claim> {
        let claimed = self.spool()?.claim(but_for);
        match claimed {
            Ok((claim, losses)) => {
                self.count(losses);
                claim
            }
            Err(error) => {
                self.say(Level::Warning, format!("the spool cannot be read: {error}"), Map::new());
                None
            }
        }
    }

    fn done(&self, claim: Claim) {
        if let Some(Err(error)) = self.spool().map(|mut spool| spool.done(claim)) {
            self.say(Level::Warning, format!("an event that was sent stays in the spool: {error}"), Map::new());
        }
    }

    fn count(&self, losses: Losses) {
        let mut counted = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        counted.0.crowded_out += losses.crowded_out;
        counted.0.expired += losses.expired;
        counted.0.aside.extend(losses.aside);
        if counted.0 != Losses::default() {
            counted.1.get_or_insert_with(|| (self.clock)() + GATHER_LOSSES);
        }
    }

    fn losses_due(&self) -> Option<Instant> {
        self.losses.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Says what was lost since it was last said.
    pub fn say_losses(&self) {
        let (losses, _) = std::mem::take(&mut *self.losses.lock().unwrap_or_else(PoisonError::into_inner));
        for (count, why) in [(losses.crowded_out, "the spool is full"), (losses.expired, "they were too old")] {
            if count > 0 {
                let dropped = Map::from_iter([("event".to_owned(), Value::from(count))]);
                let detail = Map::from_iter([("dropped".to_owned(), dropped.into())]);
                self.say(Level::Warning, format!("{count} kept events were dropped: {why}"), detail);
            }
        }
        for name in losses.aside {
            self.say(Level::Warning, format!("{name} in the spool is no event and was put aside"), Map::new());
        }
    }

    /// Not silent: an event that can be neither sent nor kept is on stderr in full.
    fn give_up(&self, parcel: &Parcel, reason: &str) {
        let Some(event) = &parcel.event else { return };
        let mut detail = Map::new();
        detail.insert("reason".into(), reason.into());
        detail.insert("event".into(), serde_json::to_value(&**event).unwrap_or_default());
        self.say(Level::Error, format!("an event did not reach Sentry: {reason}"), detail);
    }

    /// Says what is no loss, where the table has it.
    fn mention(&self, level: Level, message: String, detail: Map<String, Value>) {
        if self.policy.route(Kind::Service, level).stderr {
            self.say(level, message, detail);
        }
    }

    fn say(&self, level: Level, message: String, detail: Map<String, Value>) {
        self.stderr.write(&Record {
            at: Timestamp::now(),
            level,
            kind: Kind::Service,
            message,
            target: "cyanotype::sentry".into(),
            span: None,
            request: None,
            failure: None,
            event_id: None,
            detail: Detail::Service(detail),
        });
    }
}
