//! Flood limit: only the first reports of a failure in each window are recorded; the others are counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::mute::mute_this_thread;
use crate::policy::Kind;
use crate::settings::FloodSettings;

/// Maximum number of concurrent windows. Further failures are not limited.
const MAX_WINDOWS: usize = 10_000;

/// Identifies repeated failures across requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint {
    pub type_name: String,
    pub message: String,
    /// The route, such as `GET /orders/{id}`; `None` outside a request.
    pub route: Option<String>,
    /// Whether the failure is an outage, which has a separate limit.
    pub outage: bool,
}

/// The number of suppressed reports of a failure in a window.
#[derive(Debug)]
pub(crate) struct SuppressedCount {
    pub fingerprint: Fingerprint,
    /// Suppressed records on stderr, by kind.
    pub records: Vec<(Kind, u64)>,
    /// Suppressed events.
    pub events: u64,
}

pub(crate) struct FloodLimiter {
    limit: u64,
    window: Duration,
    windows: Arc<Windows>,
}

#[derive(Default)]
struct Windows {
    by_fingerprint: Mutex<HashMap<Fingerprint, Window>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Window {
    ends_at: Instant,
    reports: u64,
    records: [u64; Kind::ALL.len()],
    events: u64,
}

impl Window {
    fn has_suppressed(&self) -> bool {
        self.reports > 0 && (self.events > 0 || self.records.iter().any(|count| *count > 0))
    }

    fn suppressed(&self, fingerprint: Fingerprint) -> SuppressedCount {
        let records = Kind::ALL.map(|kind| (kind, self.records[kind as usize]));
        SuppressedCount {
            fingerprint,
            records: records.into_iter().filter(|(_, count)| *count > 0).collect(),
            events: self.events,
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
                watched.wait_for_expired().into_iter().for_each(&report);
            }
        };
        let thread = std::thread::Builder::new().name("floods".into()).spawn(work);
        thread.expect("the thread that reports suppressed failures cannot be started");
        Self { limit: settings.limit, window: settings.window(), windows }
    }

    /// Whether to record this report. If not, it is counted as a record of this kind, as an event, or both.
    pub(crate) fn allow(&self, fingerprint: Fingerprint, record: Option<Kind>, event: bool) -> bool {
        self.allow_up_to(self.limit, fingerprint, record, event)
    }

    /// Like [`Self::allow`], with this limit.
    pub(crate) fn allow_up_to(&self, limit: u64, fingerprint: Fingerprint, record: Option<Kind>, event: bool) -> bool {
        let now = Instant::now();
        let mut windows = self.windows.by_fingerprint.lock();
        if windows.len() >= MAX_WINDOWS {
            windows.retain(|_, window| window.ends_at > now || window.has_suppressed());
            if windows.len() >= MAX_WINDOWS && !windows.contains_key(&fingerprint) {
                return true;
            }
        }
        let window = windows.entry(fingerprint).or_insert_with(|| Window {
            ends_at: now + self.window,
            reports: 0,
            records: Default::default(),
            events: 0,
        });
        if window.ends_at <= now && !window.has_suppressed() {
            (window.ends_at, window.reports) = (now + self.window, 0);
        }
        window.reports += 1;
        if window.reports <= limit {
            return true;
        }
        let is_first = !window.has_suppressed();
        if let Some(kind) = record {
            window.records[kind as usize] += 1;
        }
        window.events += u64::from(event);
        drop(windows);
        if is_first {
            self.windows.changed.notify_all();
        }
        false
    }

    /// Closes all windows and returns their counts.
    pub(crate) fn close_all(&self) -> Vec<SuppressedCount> {
        let windows = std::mem::take(&mut *self.windows.by_fingerprint.lock());
        let ended = windows.into_iter().filter(|(_, window)| window.has_suppressed());
        ended.map(|(fingerprint, window)| window.suppressed(fingerprint)).collect()
    }
}

impl Windows {
    /// Waits until a window with suppressed reports ends, and returns the counts of all such windows.
    fn wait_for_expired(&self) -> Vec<SuppressedCount> {
        let mut windows = self.by_fingerprint.lock();
        loop {
            let now = Instant::now();
            let next = windows.values().filter(|window| window.has_suppressed()).map(|window| window.ends_at).min();
            match next {
                Some(next) if next <= now => break,
                Some(next) => drop(self.changed.wait_for(&mut windows, next - now)),
                None => self.changed.wait(&mut windows),
            }
        }
        let now = Instant::now();
        let ended = windows.extract_if(|_, window| window.ends_at <= now && window.has_suppressed());
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
        assert_eq!((count.fingerprint, count.records, count.events), (fingerprint("a"), vec![(Kind::Uncaught, 7)], 7));
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
        FloodLimiter { limit: 3, window, windows: Arc::default() }
    }

    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(50);

    /// Waits for the next end of a window, with a timeout.
    fn next_expired(limiter: &FloodLimiter) -> Vec<SuppressedCount> {
        let (done, ended) = mpsc::channel();
        let windows = Arc::clone(&limiter.windows);
        std::thread::spawn(move || done.send(windows.wait_for_expired()));
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
        assert_eq!((count.fingerprint, count.records, count.events), (fingerprint("a"), vec![(Kind::Line, 1)], 0));
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
        assert_eq!((&ended[0].fingerprint, ended[0].records[0].1), (&fingerprint("a"), 2));
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
        let next = || next_expired(&limiter).into_iter().map(|it| it.fingerprint.message).collect::<Vec<_>>();
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

    #[test]
    fn failures_beyond_the_window_capacity_are_not_limited() {
        let limiter = without_thread(LONG);
        for n in 0..MAX_WINDOWS {
            assert!(allowed(&limiter, &n.to_string(), None, true));
        }
        let count = |message: &str| (0..10).filter(|_| allowed(&limiter, message, None, true)).count();
        assert_eq!(count("one more"), 10);
        assert_eq!(count("5"), 2, "a failure with a window is limited");
        assert_eq!(limiter.windows.by_fingerprint.lock().len(), MAX_WINDOWS);
    }

    #[test]
    fn expired_windows_are_evicted() {
        let mut limiter = without_thread(Duration::ZERO);
        for n in 0..MAX_WINDOWS {
            assert!(allowed(&limiter, &n.to_string(), None, true));
        }
        limiter.window = LONG;
        let count = (0..10).filter(|_| allowed(&limiter, "one more", None, true)).count();
        assert_eq!((count, limiter.windows.by_fingerprint.lock().len()), (3, 1));
    }
}
