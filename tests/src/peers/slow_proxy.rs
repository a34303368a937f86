//! A TCP proxy that makes a server far away: what the server says comes late, or not at all.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::Duration;

const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A proxy; it listens until it is dropped, and its connections end with it.
pub struct SlowProxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: u16,
    delay: Duration,
    stalled: AtomicBool,
    ended: AtomicBool,
    /// Whether the server has said something since the client did.
    server_sent: AtomicBool,
    round_trips: AtomicUsize,
    streams: Mutex<Vec<TcpStream>>,
}

impl SlowProxy {
    /// Begins to listen on a free port, for a server on another. What one read from the server gives is passed on after the
    /// delay; what the client says is passed on at once.
    pub fn start(upstream: u16, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            upstream,
            delay,
            stalled: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            server_sent: AtomicBool::new(true),
            round_trips: AtomicUsize::new(0),
            streams: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.ended.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // A connection that breaks is the client's to notice.
                thread::spawn(move || shared.forward(client));
            }
        });
        Self { port, shared }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often a client has said something and waited for what the server says to it; with one connection at a time.
    pub fn round_trips(&self) -> usize {
        self.shared.round_trips.load(Ordering::Relaxed)
    }

    /// Passes nothing on any more, in neither direction, or all that has waited since. Connections stay open.
    pub fn stall(&self, stalled: bool) {
        self.shared.stalled.store(stalled, Ordering::Relaxed);
    }
}

impl Drop for SlowProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for stream in self.shared.streams.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Those that have ended already cannot be ended again.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the listener, to end.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn forward(self: Arc<Self>, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(("127.0.0.1", self.upstream))?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
            self.streams.lock().unwrap_or_else(PoisonError::into_inner).push(stream.try_clone()?);
        }
        let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
        let relaying = Arc::clone(&self);
        thread::spawn(move || relaying.relay(from_client, to_server, false));
        self.relay(server, client, true);
        Ok(())
    }

    fn relay(&self, mut from: TcpStream, mut to: TcpStream, is_server: bool) {
        let mut chunk = vec![0; 1 << 16];
        // However one side ends, the other one ends then, too.
        while let Ok(read @ 1..) = from.read(&mut chunk) {
            if is_server {
                sleep(self.delay);
                self.server_sent.store(true, Ordering::Relaxed);
            } else if self.server_sent.swap(false, Ordering::Relaxed) {
                self.round_trips.fetch_add(1, Ordering::Relaxed);
            }
            while self.stalled.load(Ordering::Relaxed) && !self.ended.load(Ordering::Relaxed) {
                sleep(POLL_INTERVAL);
            }
            if to.write_all(&chunk[..read]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
