//! A Sentry server with faults that a real one cannot be made to show.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How it handles each request.
#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    /// Accepts the connection and never responds.
    Hang,
    /// Responds at one byte per second.
    Drip,
    /// Responds with this status line and these headers.
    Respond(&'static str),
    /// Responds with bytes that are not HTTP.
    Garbage,
    /// Responds with 500 to larger envelopes, and with 200 to all others.
    FailsAbove(usize),
}

/// Listens until it is dropped.
pub struct BadSentry {
    port: u16,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl BadSentry {
    /// Starts to listen on a free port.
    pub fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (connections, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (counter, stopped) = (Arc::clone(&connections), Arc::clone(&stop));
        thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                counter.fetch_add(1, Ordering::Relaxed);
                match behaviour {
                    Behaviour::Hang => held.push(stream),
                    behaviour => {
                        thread::spawn(move || respond(stream, behaviour));
                    }
                }
            }
        });
        Self { port, connections, stop }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The DSN for the service.
    pub fn dsn(&self) -> String {
        format!("http://0123456789abcdef0123456789abcdef@127.0.0.1:{}/1", self.port)
    }

    /// The number of connections.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for BadSentry {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener, so that it ends.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn respond(mut stream: TcpStream, behaviour: Behaviour) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
    let mut request = [0; 65536];
    let mut read = 0;
    while let Ok(n) = stream.read(&mut request[read..]) {
        read += n;
        if n == 0 || read == request.len() || is_complete(&request[..read]) {
            break;
        }
    }
    let text = match behaviour {
        Behaviour::FailsAbove(bytes) => {
            let fails = read > bytes;
            let status = if fails { "500 Internal Server Error" } else { "200 OK" };
            format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        }
        Behaviour::Respond(status) => format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        Behaviour::Drip => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into(),
        Behaviour::Garbage | Behaviour::Hang => "\0\u{1}no HTTP at all\n".into(),
    };
    for byte in text.as_bytes() {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        if matches!(behaviour, Behaviour::Drip) {
            thread::sleep(Duration::from_secs(1));
        }
    }
}

/// Whether a request is complete according to its content length.
fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    request.len() >= head.len() + 4 + length.unwrap_or(0)
}
