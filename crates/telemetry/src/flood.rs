//! The same failure over and over: its first reports are recorded, the others counted, and the count is reported.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::mute::mute_this_thread;
use crate::policy::Kind;
use crate::settings::FloodSettings;

/// Failures that are counted at the same time; more than these are all recorded.
const MAX_FINGERPRINTS: usize = 10_000;

/// What makes two failures the same, whatever request they are of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint {
    pub type_name: String,
    pub message: String,
    /// `GET /orders/{id}`; `None` outside any request.
    pub route: Option<String>,
    /// Whether it is one of something that all requests need, and has a limit of its own.
    pub outage: bool,
}

/// What was suppressed of one failure.
#[derive(Debug)]
pub(crate) struct Suppressed {
    pub fingerprint: Fingerprint,
    /// Records that would have been on stderr.
    pub records: Vec<(Kind, u64)>,
    pub events: u64,
}

pub(crate) struct FloodLimiter {
    limit: u64,
    window: Duration,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    open: Mutex<HashMap<Fingerprint, Window>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Window {
    ends: Instant,
    seen: u64,
    records: [u64; Kind::ALL.len()],
    events: u64,
}

impl Window {
    fn has_suppressed(&self) -> bool {
        self.seen > 0 && (self.events > 0 || self.records.iter().any(|count| *count > 0))
    }

    fn suppressed(&self, fingerprint: Fingerprint) -> Suppressed {
        let records = Kind::ALL.map(|kind| (kind, self.records[kind as usize]));
        Suppressed {
            fingerprint,
            records: records.into_iter().filter(|(_, count)| *count > 0).collect(),
            events: self.events,
        }
    }
}

impl FloodLimiter {
    /// `report` is called, on a thread of its own, when a window has ended in which something was suppressed.
    pub(crate) fn start(settings: &FloodSettings, report: impl Fn(Suppressed) + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let watched = Arc::clone(&shared);
        let work = move || {
            mute_this_thread();
            loop {
                watched.wait_for_an_end().into_iter().for_each(&report);
            }
        };
        let thread = std::thread::Builder::new().name("floods".into()).spawn(work);
        thread.expect("a process that cannot start a thread cannot serve");
        Self { limit: settings.limit, window: settings.window(), shared }
    }

    /// Whether this report is recorded; if not, it is counted: as a record of this kind, as an event, or both.
    pub(crate) fn allow(&self, fingerprint: Fingerprint, record: Option<Kind>, event: bool) -> bool {
        self.allow_up_to(self.limit, fingerprint, record, event)
    }

    /// The same, with a limit of its own.
    pub(crate) fn allow_up_to(&self, limit: u64, fingerprint: Fingerprint, record: Option<Kind>, event: bool) -> bool {
        let now = Instant::now();
        let mut open = self.shared.open.lock();
        if open.len() >= MAX_FINGERPRINTS {
            open.retain(|_, window| window.ends > now || window.has_suppressed());
            if open.len() >= MAX_FINGERPRINTS && !open.contains_key(&fingerprint) {
                return true;
            }
        }
        let window = open.entry(fingerprint).or_insert_with(|| Window {
            ends: now + self.window,
            seen: 0,
            records: Default::default(),
            events: 0,
        });
        if window.ends <= now && !window.has_suppressed() {
            (window.ends, window.seen) = (now + self.window, 0);
        }
        window.seen += 1;
        if window.seen <= limit {
            return true;
        }
        let is_first = !window.has_suppressed();
        if let Some(kind) = record {
            window.records[kind as usize] += 1;
        }
        window.events += u64::from(event);
        drop(open);
        if is_first {
            self.shared.changed.notify_all();
        }
        false
    }

    /// Ends all windows now, and gives what was suppressed in them.
    pub(crate) fn end_all(&self) -> Vec<Suppressed> {
        let open = std::mem::take(&mut *self.shared.open.lock());
        let ended = open.into_iter().filter(|(_, window)| window.has_suppressed());
        ended.map(|(fingerprint, window)| window.suppressed(fingerprint)).collect()
    }
}

impl Shared {
    /// Waits until windows end in which something was suppressed.
    fn wait_for_an_end(&self) -> Vec<Suppressed> {
        let mut open = self.open.lock();
        loop {
            let now = Instant::now();
            let next = open.values().filter(|window| window.has_suppressed()).map(|window| window.ends).min();
            match next {
                Some(next) if next <= now => break,
                Some(next) => drop(self.changed.wait_for(&mut open, next - now)),
                None => self.changed.wait(&mut open),
            }
        }
        let now = Instant::now();
        let ended = open.extract_if(|_, window| window.ends <= now && window.has_suppressed());
        ended.map(|(fingerprint, window)| window.suppressed(fingerprint)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn fingerprint(message: &str) -> Fingerprint {
        Fingerprint { type_name: "Error".into(), message: message.into(), route: Some("GET /".into()), outage: false }
    }

    fn floods(window_s: u64) -> (FloodLimiter, mpsc::Receiver<Suppressed>) {
        let (told, tales) = mpsc::channel();
        let settings: FloodSettings =
            serde_json::from_value(serde_json::json!({"limit": 3, "window_s": window_s})).expect("good settings");
        (FloodLimiter::start(&settings, move |suppressed| told.send(suppressed).unwrap_or_default()), tales)
    }

    #[test]
    fn the_first_are_told_and_the_others_counted() {
        let (floods, tales) = floods(1);
        let allowed = (0..10).filter(|_| floods.allow(fingerprint("a"), Some(Kind::Uncaught), true)).count();
        assert_eq!(allowed, 3);
        assert!(floods.allow(fingerprint("b"), Some(Kind::Uncaught), true), "others are not crowded out");
        let told = tales.recv_timeout(Duration::from_secs(10)).expect("the window ends");
        assert_eq!((told.fingerprint, told.records, told.events), (fingerprint("a"), vec![(Kind::Uncaught, 7)], 7));
        assert!(floods.allow(fingerprint("a"), Some(Kind::Uncaught), true), "a new window begins");
    }

    #[test]
    fn at_the_end_nothing_is_left_untold() {
        let (floods, _tales) = floods(3600);
        for _ in 0..5 {
            floods.allow(fingerprint("a"), None, true);
        }
        let left = floods.end_all();
        assert_eq!((left.len(), left[0].events, left[0].records.len()), (1, 2, 0));
    }

    /// Without the thread that watches, so that a test can wait for the end itself.
    fn unwatched(window: Duration) -> FloodLimiter {
        FloodLimiter { limit: 3, window, shared: Arc::default() }
    }

    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(50);

    /// Waits for the next end, and no longer than a test may take.
    fn next_end(floods: &FloodLimiter) -> Vec<Suppressed> {
        let (done, ended) = mpsc::channel();
        let shared = Arc::clone(&floods.shared);
        std::thread::spawn(move || done.send(shared.wait_for_an_end()));
        ended.recv_timeout(Duration::from_secs(10)).expect("a window ends")
    }

    fn allowed(floods: &FloodLimiter, message: &str, record: Option<Kind>, event: bool) -> bool {
        floods.allow(fingerprint(message), record, event)
    }

    #[test]
    fn a_single_one_that_was_suppressed_is_told() {
        let (floods, tales) = floods(1);
        assert!(floods.allow(fingerprint("another"), None, true));
        // The thread waits for the first by now.
        std::thread::sleep(Duration::from_millis(200));
        let count = (0..4).filter(|_| floods.allow(fingerprint("a"), Some(Kind::Line), false)).count();
        assert_eq!(count, 3);
        let told = tales.recv_timeout(Duration::from_secs(10)).expect("the window ends");
        assert_eq!((told.fingerprint, told.records, told.events), (fingerprint("a"), vec![(Kind::Line, 1)], 0));
        assert!(tales.recv_timeout(Duration::from_millis(1500)).is_err(), "of the other nothing was suppressed");
    }

    #[test]
    fn records_and_events_are_counted_apart() {
        let floods = unwatched(LONG);
        for _ in 0..3 {
            assert!(allowed(&floods, "a", None, false));
        }
        for (record, event) in [
            (Some(Kind::Line), false),
            (Some(Kind::Uncaught), true),
            (Some(Kind::Uncaught), false),
            (None, true),
            (None, true),
        ] {
            assert!(!allowed(&floods, "a", record, event));
        }
        let ended = floods.end_all();
        assert_eq!(ended[0].records, [(Kind::Line, 1), (Kind::Uncaught, 2)]);
        assert_eq!(ended[0].events, 3);
        assert!(floods.end_all().is_empty());
    }

    #[test]
    fn a_window_in_which_nothing_was_suppressed_begins_anew() {
        let floods = unwatched(SHORT);
        let allows = || allowed(&floods, "a", Some(Kind::Line), false);
        assert_eq!([allows(), allows()], [true; 2]);
        std::thread::sleep(SHORT * 2);
        assert_eq!([allows(), allows(), allows(), allows()], [true, true, true, false]);
    }

    #[test]
    fn a_window_in_which_something_was_suppressed_ends_by_being_told() {
        let floods = unwatched(SHORT);
        assert!(allowed(&floods, "b", Some(Kind::Line), false));
        let allows = || allowed(&floods, "a", Some(Kind::Line), false);
        assert_eq!([allows(), allows(), allows(), allows()], [true, true, true, false]);
        std::thread::sleep(SHORT * 2);
        assert!(!allows(), "it is still counted until then");
        let ended = next_end(&floods);
        assert_eq!(ended.len(), 1, "of b nothing was suppressed");
        assert_eq!((&ended[0].fingerprint, ended[0].records[0].1), (&fingerprint("a"), 2));
        assert!(allows());
    }

    #[test]
    fn an_end_is_waited_for() {
        let floods = unwatched(Duration::from_millis(300));
        let began = Instant::now();
        for _ in 0..4 {
            allowed(&floods, "a", Some(Kind::Line), false);
        }
        std::thread::sleep(Duration::from_millis(150));
        for _ in 0..4 {
            allowed(&floods, "b", Some(Kind::Line), false);
        }
        let next = || next_end(&floods).into_iter().map(|it| it.fingerprint.message).collect::<Vec<_>>();
        assert_eq!(next(), ["a"]);
        assert!(began.elapsed() >= Duration::from_millis(300));
        assert_eq!(next(), ["b"]);
        assert!(began.elapsed() >= Duration::from_millis(450));
    }

    #[test]
    fn a_limit_of_its_own_counts_from_there() {
        let floods = unwatched(LONG);
        assert!(floods.allow_up_to(1, fingerprint("a"), None, true));
        assert!(!floods.allow_up_to(1, fingerprint("a"), None, true));
    }

    #[test]
    fn what_is_beyond_the_most_that_are_watched_is_told() {
        let floods = unwatched(LONG);
        for n in 0..MAX_FINGERPRINTS {
            assert!(allowed(&floods, &n.to_string(), None, true));
        }
        let count = |message: &str| (0..10).filter(|_| allowed(&floods, message, None, true)).count();
        assert_eq!(count("one more"), 10);
        assert_eq!(count("5"), 2, "one that is watched has its limit");
        assert_eq!(floods.shared.open.lock().len(), MAX_FINGERPRINTS);
    }

    #[test]
    fn windows_that_have_ended_make_room() {
        let mut floods = unwatched(Duration::ZERO);
        for n in 0..MAX_FINGERPRINTS {
            assert!(allowed(&floods, &n.to_string(), None, true));
        }
        floods.window = LONG;
        let count = (0..10).filter(|_| allowed(&floods, "one more", None, true)).count();
        assert_eq!((count, floods.shared.open.lock().len()), (3, 1));
    }
}
