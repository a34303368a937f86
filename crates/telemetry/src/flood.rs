//! Flood limit: only the first reports of a failure in each window are recorded; the others are counted.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::mute::mute_this_thread;
use crate::policy::Kind;
use crate::settings::FloodSettings;
use crate::template::{self, Template};

/// Maximum number of concurrent windows. For another one the oldest ends early.
const MAX_WINDOWS: usize = 10_000;

/// Maximum length of each text that names a suppressed failure, in bytes.
const MAX_NAME_BYTES: usize = 512;

/// Identifies repeated failures across requests: those that differ only in the variable parts of their message are one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fingerprint<'a> {
    pub type_name: &'a str,
    pub message: &'a str,
    /// The module that reported it.
    pub target: &'a str,
    /// The route, such as `GET /orders/{id}`; `None` outside a request.
    pub route: Option<&'a str>,
    /// Whether the failure is an outage, which has a separate limit.
    pub outage: bool,
    /// The fingerprint that code has set. If not empty, it replaces the other fields, unless it contains `{{ default }}`, which stands
    /// for them.
    pub chosen: &'a [String],
}

/// The part of a chosen fingerprint that stands for the default.
const DEFAULT: &str = "{{ default }}";

impl Fingerprint<'_> {
    /// A hash, so that windows need not store messages. The random state keeps clients from choosing messages that collide.
    fn hash(&self, state: &RandomState) -> u64 {
        let mut hasher = state.build_hasher();
        (self.outage, self.chosen).hash(&mut hasher);
        if self.chosen.is_empty() || self.chosen.iter().any(|part| part == DEFAULT) {
            (self.type_name, self.target, self.route).hash(&mut hasher);
            template::hash(self.message, &mut hasher);
        }
        hasher.finish()
    }
}

/// A suppressed failure, as its count shows it. Long texts are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SuppressedFailure {
    pub type_name: String,
    /// The message, with `%s` for its variable parts.
    pub message: String,
    pub route: Option<String>,
}

impl From<&Fingerprint<'_>> for SuppressedFailure {
    fn from(fingerprint: &Fingerprint<'_>) -> Self {
        let cut = |text: &str| text[..text.floor_char_boundary(MAX_NAME_BYTES)].to_owned();
        Self {
            type_name: cut(fingerprint.type_name),
            message: cut(&Template::of(&cut(fingerprint.message)).text),
            route: fingerprint.route.map(cut),
        }
    }
}

/// The number of suppressed reports of a failure in a window.
#[derive(Debug)]
pub(crate) struct SuppressedCount {
    pub failure: SuppressedFailure,
    /// Suppressed records on stderr, by kind.
    pub records: Vec<(Kind, u64)>,
    /// Suppressed events.
    pub events: u64,
}

pub(crate) struct FloodLimiter {
    limit: u64,
    window: Duration,
    hash_state: RandomState,
    windows: Arc<Windows>,
    /// All reports suppressed since the start.
    total: Mutex<SuppressedTotals>,
}

/// The numbers of suppressed records by kind, and of suppressed events, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SuppressedTotals {
    pub records: [u64; Kind::ALL.len()],
    pub events: u64,
}

#[derive(Default)]
struct Windows {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    by_hash: HashMap<u64, Window>,
    /// The windows in the order of their ends: all last equally long.
    order: VecDeque<(Instant, u64)>,
    /// The counts of windows that ended early.
    evicted: Vec<SuppressedCount>,
}

#[derive(Debug, Default)]
struct Window {
    reports: u64,
    suppressed: Option<Box<Suppressed>>,
}

/// The suppressed reports of a window.
#[derive(Debug)]
struct Suppressed {
    failure: SuppressedFailure,
    records: [u64; Kind::ALL.len()],
    events: u64,
}

impl From<Suppressed> for SuppressedCount {
    fn from(Suppressed { failure, records, events }: Suppressed) -> Self {
        let records = Kind::ALL.map(|kind| (kind, records[kind as usize]));
        Self { failure, records: records.into_iter().filter(|(_, count)| *count > 0).collect(), events }
    }
}

impl State {
    /// Removes the window that ends first; returns its counts.
    fn pop(&mut self) -> Option<SuppressedCount> {
        let (_, hash) = self.order.pop_front()?;
        let suppressed = self.by_hash.remove(&hash)?.suppressed?;
        Some((*suppressed).into())
    }

    /// When the next window ends.
    fn next_end(&self) -> Option<Instant> {
        self.order.front().map(|(end, _)| *end)
    }

    /// Removes the windows that have ended, up to the first one with suppressed reports, whose count the thread reports.
    fn remove_ended_without_counts(&mut self, now: Instant) {
        while let Some((end, hash)) = self.order.front()
            && *end <= now
            && self.by_hash.get(hash).is_none_or(|window| window.suppressed.is_none())
        {
            self.pop();
        }
    }
}

impl FloodLimiter {
    /// Starts the limiter. `report` is called on a separate thread at the end of each window with suppressed reports.
    pub(crate) fn start(settings: &FloodSettings, report: impl Fn(SuppressedCount) + Send + 'static) -> Self {
        let windows = Arc::<Windows>::default();
        let watched = Arc::clone(&windows);
        let work = move || {
            mute_this_thread();
            loop {
                watched.wait_for_counts().into_iter().for_each(&report);
            }
        };
        let thread = std::thread::Builder::new().name("floods".into()).spawn(work);
        thread.expect("the thread that reports suppressed failures cannot be started");
        Self {
            limit: settings.limit,
            window: settings.window(),
            hash_state: RandomState::new(),
            windows,
            total: Mutex::default(),
        }
    }

    /// Whether to record this report. If not, it is counted as a record of this kind, as an event, or both.
    pub(crate) fn allow(&self, fingerprint: Fingerprint<'_>, record: Option<Kind>, event: bool) -> bool {
        self.allow_up_to(self.limit, fingerprint, record, event)
    }

    /// Like [`Self::allow`], with this limit.
    pub(crate) fn allow_up_to(
        &self,
        limit: u64,
        fingerprint: Fingerprint<'_>,
        record: Option<Kind>,
        event: bool,
    ) -> bool {
        let hash = fingerprint.hash(&self.hash_state);
        let now = Instant::now();
        let mut state = self.windows.state.lock();
        state.remove_ended_without_counts(now);
        let mut is_thread_needed = false;
        if !state.by_hash.contains_key(&hash) {
            if state.by_hash.len() >= MAX_WINDOWS
                && let Some(count) = state.pop()
            {
                state.evicted.push(count);
                is_thread_needed = true;
            }
            // The thread waits for the end of the first window.
            is_thread_needed |= state.order.is_empty();
            state.order.push_back((now + self.window, hash));
        }
        let window = state.by_hash.entry(hash).or_default();
        window.reports += 1;
        let allowed = window.reports <= limit;
        if !allowed {
            let new =
                || Box::new(Suppressed { failure: (&fingerprint).into(), records: Default::default(), events: 0 });
            let suppressed = window.suppressed.get_or_insert_with(new);
            if let Some(kind) = record {
                suppressed.records[kind as usize] += 1;
            }
            suppressed.events += u64::from(event);
            let mut total = self.total.lock();
            if let Some(kind) = record {
                total.records[kind as usize] += 1;
            }
            total.events += u64::from(event);
        }
        drop(state);
        if is_thread_needed {
            self.windows.changed.notify_all();
        }
        allowed
    }

    /// What was suppressed since the start.
    pub(crate) fn totals(&self) -> SuppressedTotals {
        *self.total.lock()
    }

    /// Closes all windows and returns their counts.
    pub(crate) fn close_all(&self) -> Vec<SuppressedCount> {
        let State { by_hash, evicted, .. } = std::mem::take(&mut *self.windows.state.lock());
        let open = by_hash.into_values().filter_map(|window| window.suppressed);
        evicted.into_iter().chain(open.map(|suppressed| (*suppressed).into())).collect()
    }
}

impl Windows {
    /// Removes windows as they end, until there is a count to report.
    fn wait_for_counts(&self) -> Vec<SuppressedCount> {
        let mut state = self.state.lock();
        loop {
            let mut counts = std::mem::take(&mut state.evicted);
            let now = Instant::now();
            while state.next_end().is_some_and(|end| end <= now) {
                counts.extend(state.pop());
            }
            if !counts.is_empty() {
                return counts;
            }
            match state.next_end() {
                Some(end) => drop(self.changed.wait_for(&mut state, end - now)),
                None => {
                    // After a flood, its memory is freed.
                    *state = State::default();
                    self.changed.wait(&mut state);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn fingerprint(message: &str) -> Fingerprint<'_> {
        Fingerprint { type_name: "Error", message, target: "test", route: Some("GET /"), outage: false, chosen: &[] }
    }

    fn failure(message: &str) -> SuppressedFailure {
        (&fingerprint(message)).into()
    }

    fn start(window_s: u64) -> (FloodLimiter, mpsc::Receiver<SuppressedCount>) {
        let (sender, counts) = mpsc::channel();
        let settings: FloodSettings =
            serde_json::from_value(serde_json::json!({"limit": 3, "window_s": window_s})).expect("valid settings");
        (FloodLimiter::start(&settings, move |suppressed| sender.send(suppressed).unwrap_or_default()), counts)
    }

    #[test]
    fn reports_above_the_limit_are_counted() {
        let (limiter, counts) = start(1);
        let allowed = (0..10).filter(|_| limiter.allow(fingerprint("a"), Some(Kind::Uncaught), true)).count();
        assert_eq!(allowed, 3);
        assert!(limiter.allow(fingerprint("b"), Some(Kind::Uncaught), true), "other failures have their own limit");
        let count = counts.recv_timeout(Duration::from_secs(10)).expect("the window ends");
        assert_eq!((count.failure, count.records, count.events), (failure("a"), vec![(Kind::Uncaught, 7)], 7));
        assert!(limiter.allow(fingerprint("a"), Some(Kind::Uncaught), true), "a new window begins");
    }

    #[test]
    fn closing_returns_pending_counts() {
        let (limiter, _counts) = start(3600);
        for _ in 0..5 {
            limiter.allow(fingerprint("a"), None, true);
        }
        let left = limiter.close_all();
        assert_eq!((left.len(), left[0].events, left[0].records.len()), (1, 2, 0));
    }

    /// A limiter without its thread, so that a test can wait for the end of a window itself.
    fn without_thread(window: Duration) -> FloodLimiter {
        FloodLimiter {
            limit: 3,
            window,
            hash_state: RandomState::new(),
            windows: Arc::default(),
            total: Mutex::default(),
        }
    }

    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(50);

    /// Waits for the next end of a window, with a timeout.
    fn next_expired(limiter: &FloodLimiter) -> Vec<SuppressedCount> {
        let (done, ended) = mpsc::channel();
        let windows = Arc::clone(&limiter.windows);
        std::thread::spawn(move || done.send(windows.wait_for_counts()));
        ended.recv_timeout(Duration::from_secs(10)).expect("a window ends")
    }

    fn allowed(limiter: &FloodLimiter, message: &str, record: Option<Kind>, event: bool) -> bool {
        limiter.allow(fingerprint(message), record, event)
    }

    #[test]
    fn a_single_suppressed_report_is_counted() {
        let (limiter, counts) = start(1);
        assert!(limiter.allow(fingerprint("another"), None, true));
        // Lets the thread start to wait.
        std::thread::sleep(Duration::from_millis(200));
        let count = (0..4).filter(|_| limiter.allow(fingerprint("a"), Some(Kind::Line), false)).count();
        assert_eq!(count, 3);
        let count = counts.recv_timeout(Duration::from_secs(10)).expect("the window ends");
        assert_eq!((count.failure, count.records, count.events), (failure("a"), vec![(Kind::Line, 1)], 0));
        assert!(
            counts.recv_timeout(Duration::from_millis(1500)).is_err(),
            "the other failure has no suppressed reports"
        );
    }

    #[test]
    fn records_and_events_are_counted_separately() {
        let limiter = without_thread(LONG);
        for _ in 0..3 {
            assert!(allowed(&limiter, "a", None, false));
        }
        for (record, event) in [
            (Some(Kind::Line), false),
            (Some(Kind::Uncaught), true),
            (Some(Kind::Uncaught), false),
            (None, true),
            (None, true),
        ] {
            assert!(!allowed(&limiter, "a", record, event));
        }
        let ended = limiter.close_all();
        assert_eq!(ended[0].records, [(Kind::Line, 1), (Kind::Uncaught, 2)]);
        assert_eq!(ended[0].events, 3);
        assert!(limiter.close_all().is_empty());
        let totals = limiter.totals();
        assert_eq!(
            (totals.records[Kind::Line as usize], totals.records[Kind::Uncaught as usize], totals.events),
            (1, 2, 3)
        );
    }

    #[test]
    fn a_window_without_suppressed_reports_restarts() {
        let limiter = without_thread(SHORT);
        let allows = || allowed(&limiter, "a", Some(Kind::Line), false);
        assert_eq!([allows(), allows()], [true; 2]);
        std::thread::sleep(SHORT * 2);
        assert_eq!([allows(), allows(), allows(), allows()], [true, true, true, false]);
    }

    #[test]
    fn a_window_with_suppressed_reports_ends_when_its_count_is_returned() {
        let limiter = without_thread(SHORT);
        assert!(allowed(&limiter, "b", Some(Kind::Line), false));
        let allows = || allowed(&limiter, "a", Some(Kind::Line), false);
        assert_eq!([allows(), allows(), allows(), allows()], [true, true, true, false]);
        std::thread::sleep(SHORT * 2);
        assert!(!allows(), "it is counted until then");
        let ended = next_expired(&limiter);
        assert_eq!(ended.len(), 1, "b has no suppressed reports");
        assert_eq!((&ended[0].failure, ended[0].records[0].1), (&failure("a"), 2));
        assert!(allows());
    }

    #[test]
    fn windows_end_one_by_one() {
        let limiter = without_thread(Duration::from_millis(300));
        let began = Instant::now();
        for _ in 0..4 {
            allowed(&limiter, "a", Some(Kind::Line), false);
        }
        std::thread::sleep(Duration::from_millis(150));
        for _ in 0..4 {
            allowed(&limiter, "b", Some(Kind::Line), false);
        }
        let next = || next_expired(&limiter).into_iter().map(|it| it.failure.message).collect::<Vec<_>>();
        assert_eq!(next(), ["a"]);
        assert!(began.elapsed() >= Duration::from_millis(300));
        assert_eq!(next(), ["b"]);
        assert!(began.elapsed() >= Duration::from_millis(450));
    }

    #[test]
    fn a_custom_limit_applies() {
        let limiter = without_thread(LONG);
        assert!(limiter.allow_up_to(1, fingerprint("a"), None, true));
        assert!(!limiter.allow_up_to(1, fingerprint("a"), None, true));
    }

    /// A message of letters: numbers are no difference.
    fn nth(n: usize) -> String {
        n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
    }

    #[test]
    fn the_oldest_window_ends_for_one_beyond_the_capacity() {
        let limiter = without_thread(LONG);
        for n in 0..MAX_WINDOWS {
            assert!(allowed(&limiter, &nth(n), None, true));
        }
        let count = |message: &str| (0..10).filter(|_| allowed(&limiter, message, None, true)).count();
        assert_eq!(count(&nth(1)), 2, "a failure with a window is limited");
        assert_eq!(count("one more"), 3, "the window of the first failure has ended");
        assert_eq!(count("another one"), 3, "so has that of the second");
        assert_eq!(limiter.windows.state.lock().by_hash.len(), MAX_WINDOWS);
        let mut counts: Vec<_> = limiter.close_all().into_iter().map(|it| (it.failure.message, it.events)).collect();
        counts.sort();
        assert_eq!(counts, [("another one".into(), 7), (nth(1), 8), ("one more".into(), 7)]);
    }

    #[test]
    fn ended_windows_are_freed_without_another_failure() {
        let (limiter, _counts) = start(1);
        for n in 0..MAX_WINDOWS {
            limiter.allow(fingerprint(&nth(n)), None, true);
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while limiter.windows.state.lock().by_hash.capacity() > 0 {
            assert!(Instant::now() < deadline, "the windows are not freed");
            std::thread::sleep(SHORT);
        }
        assert_eq!(limiter.windows.state.lock().order.capacity(), 0);
    }

    #[test]
    fn failures_that_differ_in_an_id_have_one_window() {
        let limiter = without_thread(LONG);
        let message = |n| format!("order {n} of user \"u{n}\" (550e8400-e29b-41d4-a716-4466554{n:05}) not found");
        assert_eq!((0..1500).filter(|n| allowed(&limiter, &message(*n), Some(Kind::Exception), true)).count(), 3);
        let counts = limiter.close_all();
        assert_eq!((counts.len(), counts[0].records[0].1, counts[0].events), (1, 1497, 1497));
        assert_eq!(counts[0].failure.message, "order %s of user \"%s\" (%s) not found");
    }

    #[test]
    fn the_callers_fingerprint_takes_precedence() {
        let limiter = without_thread(LONG);
        let allows = |message: &str, chosen: &[&str]| {
            let chosen: Vec<String> = chosen.iter().map(|part| (*part).to_owned()).collect();
            limiter.allow_up_to(1, Fingerprint { chosen: &chosen, ..fingerprint(message) }, None, true)
        };
        assert!(allows("a", &["stock"]) && !allows("b", &["stock"]), "two messages are one failure");
        assert!(allows("a", &["users"]), "one message is two failures");
        assert!(allows("a", &["eu", DEFAULT]) && allows("b", &["eu", DEFAULT]) && !allows("a", &["eu", DEFAULT]));
    }

    #[test]
    fn failures_differ_by_type_module_and_route() {
        let limiter = without_thread(LONG);
        let one = fingerprint("a");
        for fingerprint in [
            one,
            Fingerprint { type_name: "Other", ..one },
            Fingerprint { target: "elsewhere", ..one },
            Fingerprint { route: Some("GET /other"), ..one },
            Fingerprint { route: None, ..one },
            Fingerprint { outage: true, ..one },
        ] {
            assert!(limiter.allow_up_to(1, fingerprint, None, true), "{fingerprint:?}");
            assert!(!limiter.allow_up_to(1, fingerprint, None, true), "{fingerprint:?}");
        }
    }

    #[test]
    fn expired_windows_are_evicted() {
        let mut limiter = without_thread(Duration::ZERO);
        for n in 0..MAX_WINDOWS {
            assert!(allowed(&limiter, &nth(n), None, true));
        }
        limiter.window = LONG;
        let count = (0..10).filter(|_| allowed(&limiter, "one more", None, true)).count();
        assert_eq!((count, limiter.windows.state.lock().by_hash.len()), (3, 1));
    }
}
