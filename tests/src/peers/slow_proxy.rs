//! A TCP proxy that simulates a distant server: its responses are delayed, or stall.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::Duration;

const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A proxy; it listens until it is dropped, which closes its connections.
pub struct SlowProxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: u16,
    delay: Duration,
    stalled: AtomicBool,
    ended: AtomicBool,
    /// Whether the server has sent data since the client last did.
    server_sent: AtomicBool,
    round_trips: AtomicUsize,
    streams: Mutex<Vec<TcpStream>>,
}

impl SlowProxy {
    /// Starts to listen on a free port, in front of a server on another port. Each read from the server is forwarded after
    /// the delay; data from the client is forwarded immediately.
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
                // A broken connection is the client's concern.
                thread::spawn(move || shared.forward(client));
            }
        });
        Self { port, shared }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of round trips: a client sent data and waited for the server. Counts one connection at a time.
    pub fn round_trips(&self) -> usize {
        self.shared.round_trips.load(Ordering::Relaxed)
    }

    /// Stops forwarding in both directions, or resumes with the pending data. Connections stay open.
    pub fn stall(&self, stalled: bool) {
        self.shared.stalled.store(stalled, Ordering::Relaxed);
    }
}

impl Drop for SlowProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for stream in self.shared.streams.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Fails for a connection that has ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the listener, so that it ends.
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
        // When one side ends, close the other one, too.
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
