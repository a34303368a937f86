//! Free ports on loopback.

use std::net::TcpListener;
use std::process;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

// Below 32768, where Linux's ephemeral ports start: no outgoing connection uses one.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;
// A prime, so that test processes with adjacent ids start far apart.
const STRIDE: u32 = 1_009;

static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(process::id() % COUNT * STRIDE % COUNT));

/// A free port of 127.0.0.1 that no other caller in this process receives.
pub fn free() -> u16 {
    for _ in 0..COUNT {
        let next = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT + FIRST;
        let port = u16::try_from(next).expect("the range of ports ends below 65536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port from {FIRST} on: end leftover processes of earlier test runs");
}
