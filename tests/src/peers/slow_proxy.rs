//! A TCP proxy that makes a server far away: what the server says comes late, or not at all.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::Duration;

const LOOK_AGAIN: Duration = Duration::from_millis(5);

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
    streams: Mutex<Vec<TcpStream>>,
}

impl SlowProxy {
    /// Begins to listen on a free port, for a server on another. What one read from the server gives is passed on after the
    /// delay; what the client says is passed on at once.
    pub fn start(upstream: u16, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (stalled, ended, streams) = (AtomicBool::new(false), AtomicBool::new(false), Mutex::default());
        let shared = Arc::new(Shared { upstream, delay, stalled, ended, streams });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.ended.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // A connection that breaks is the client's to notice.
                thread::spawn(move || shared.bring(client));
            }
        });
        Self { port, shared }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
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
    fn bring(self: Arc<Self>, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(("127.0.0.1", self.upstream))?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
            self.streams.lock().unwrap_or_else(PoisonError::into_inner).push(stream.try_clone()?);
        }
        let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
        let there = Arc::clone(&self);
        thread::spawn(move || there.pass(from_client, to_server, Duration::ZERO));
        self.pass(server, client, self.delay);
        Ok(())
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream, delay: Duration) {
        let mut chunk = vec![0; 1 << 16];
        // However one side ends, the other one ends then, too.
        while let Ok(read @ 1..) = from.read(&mut chunk) {
            sleep(delay);
            while self.stalled.load(Ordering::Relaxed) && !self.ended.load(Ordering::Relaxed) {
                sleep(LOOK_AGAIN);
            }
            if to.write_all(&chunk[..read]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
