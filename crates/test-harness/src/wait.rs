//! Waiting for something that another process does.

use std::thread::sleep;
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Asks `f` until it has an answer; panics with `what` when `limit` has passed without one.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut f: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        // Read before asking: on a busy machine the last question is then still asked after the limit.
        let late = start.elapsed() >= limit;
        if let Some(answer) = f() {
            return answer;
        }
        assert!(!late, "waited {limit:?} in vain for {what}");
        sleep(pause);
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}
