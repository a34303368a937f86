//! Polling for a condition in another process.

use std::thread::sleep;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const MAX_PAUSE: Duration = Duration::from_millis(50);

/// Polls `f` until it returns `Some`; panics with `what` after `limit`.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut f: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        // Read before polling, so that even a delayed thread polls once after the limit.
        let timed_out = start.elapsed() >= limit;
        if let Some(answer) = f() {
            return answer;
        }
        assert!(!timed_out, "timed out after {limit:?} waiting for {what}");
        sleep(pause);
        pause = (pause * 3 / 2).min(MAX_PAUSE);
    }
}
