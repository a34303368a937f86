//! Free ports on loopback.

use std::net::TcpListener;
use std::process;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

// Below 32768, where Linux starts to hand out ports for outgoing connections: nothing takes one by chance.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;
// A prime, so that test processes with neighbouring ids start far apart.
const STRIDE: u32 = 1_009;

static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(process::id() % COUNT * STRIDE % COUNT));

/// A port of 127.0.0.1 that is free now, and that no other caller in this process gets.
pub fn free() -> u16 {
    for _ in 0..COUNT {
        let taken = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT + FIRST;
        let port = u16::try_from(taken).expect("the range of ports ends below 65536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port from {FIRST} on: end what is left of earlier test runs");
}
