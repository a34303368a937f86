//! What a request pays for the queue; its other end writes to /dev/null meanwhile.

use std::fs::OpenOptions;

use divan::Bencher;
use divan::counter::BytesCount;

use crate::queue::Queue;
use crate::record::{Kind, Level};

/// So large that nothing is refused.
const LIMIT: usize = 1 << 30;

#[divan::bench(args = [200, 800, 8_000])]
fn a_line(bencher: Bencher<'_, '_>, bytes: usize) {
    let null = OpenOptions::new().write(true).open("/dev/null").expect("Linux has /dev/null");
    rustix::stdio::dup2_stderr(&null).expect("stderr can be put elsewhere");
    let queue = Queue::start(LIMIT, |_| Vec::new());
    let line = vec![b'a'; bytes];
    bencher.counter(BytesCount::from(bytes)).bench(|| queue.push(Kind::Response, Level::Info, &line));
}
