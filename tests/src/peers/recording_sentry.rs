//! A Sentry server that stores what it receives, and responds as a test decides for each envelope.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use flate2::read::GzDecoder;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use test_harness::wait;

/// Long enough for a busy machine.
const ARRIVAL: Duration = Duration::from_secs(20);

use super::authority::Authority;

/// One item of an envelope.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its type, for example `event`.
    pub kind: String,
    /// Its payload; null if it is not JSON.
    pub payload: Value,
}

/// A received envelope.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The request line and the headers, as received.
    pub head: String,
    /// The items, in order.
    pub items: Vec<Item>,
}

impl Envelope {
    /// The value of the only header with this name.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = pairs.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let first = found.next();
        assert_eq!(found.next(), None, "{name} is sent twice");
        first
    }

    /// Whether it has an item of this type.
    pub fn has(&self, kind: &str) -> bool {
        self.items.iter().any(|item| item.kind == kind)
    }
}

/// The status line and the headers for an envelope, for example `429 Too Many Requests\r\nretry-after: 5`.
pub type Respond = fn(&Envelope) -> &'static str;

/// Listens until it is dropped.
pub struct RecordingSentry {
    port: u16,
    received: Arc<Mutex<Vec<Envelope>>>,
    stop: Arc<AtomicBool>,
}

impl RecordingSentry {
    /// Starts to listen on a free port.
    pub fn start(respond: Respond) -> Self {
        Self::listen(respond, None)
    }

    /// Starts to listen on a free port with TLS, as `localhost`.
    pub fn start_tls(respond: Respond, authority: &Authority) -> Self {
        Self::listen(respond, Some(authority.server_config()))
    }

    fn listen(respond: Respond, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (received, stop) = (Arc::<Mutex<Vec<Envelope>>>::default(), Arc::<AtomicBool>::default());
        let (store, stopped) = (Arc::clone(&received), Arc::clone(&stop));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (store, tls) = (Arc::clone(&store), tls.clone());
                // A broken connection is the client's concern.
                thread::spawn(move || match tls.map(ServerConnection::new) {
                    None => serve(stream, &store, respond),
                    Some(session) => {
                        let session = session.expect("the configuration is valid");
                        serve(StreamOwned::new(session, stream), &store, respond)
                    }
                });
            }
        });
        Self { port, received, stop }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The DSN for the service, without TLS.
    pub fn dsn(&self) -> String {
        format!("http://0123456789abcdef0123456789abcdef@127.0.0.1:{}/1", self.port)
    }

    /// Waits for at least `n` items of one type, and returns their payloads.
    #[track_caller]
    pub fn wait_payloads(&self, kind: &str, n: usize) -> Vec<Value> {
        let arrived = || Some(self.payloads(kind)).filter(|payloads| payloads.len() >= n);
        wait::until(&format!("{n} items of type {kind}"), ARRIVAL, arrived)
    }

    /// All received envelopes, also the refused ones.
    pub fn envelopes(&self) -> Vec<Envelope> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The payloads of the received items of one type.
    pub fn payloads(&self, kind: &str) -> Vec<Value> {
        let items = self.envelopes().into_iter().flat_map(|envelope| envelope.items);
        items.filter(|item| item.kind == kind).map(|item| item.payload).collect()
    }
}

impl Drop for RecordingSentry {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener, so that it ends.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(mut stream: impl Read + Write, store: &Mutex<Vec<Envelope>>, respond: Respond) -> std::io::Result<()> {
    let envelope = read(&mut stream)?;
    let status = respond(&envelope);
    store.lock().unwrap_or_else(PoisonError::into_inner).push(envelope);
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    stream.flush()
}

/// Reads one request.
fn read(stream: &mut impl Read) -> std::io::Result<Envelope> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let header = |name: &str| {
        head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)))
    };
    let length = header("content-length").and_then(|(_, length)| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    if header("content-encoding").is_some_and(|(_, coding)| coding == "gzip") {
        let mut plain = Vec::new();
        GzDecoder::new(&body[..]).read_to_end(&mut plain)?;
        body = plain;
    }
    Ok(Envelope { items: items(&body), head })
}

/// The items of an envelope: after its header, each is a header and a payload.
fn items(envelope: &[u8]) -> Vec<Item> {
    let mut items = Vec::new();
    let mut rest = line(envelope).1;
    while !rest.is_empty() {
        let (header, after) = line(rest);
        let header: Value = serde_json::from_slice(header).unwrap_or_default();
        let length = header["length"].as_u64().and_then(|length| usize::try_from(length).ok());
        let (payload, after) = match length.filter(|length| *length <= after.len()) {
            Some(length) => (&after[..length], line(&after[length..]).1),
            None => line(after),
        };
        let kind = header["type"].as_str().unwrap_or_default().to_owned();
        items.push(Item { kind, payload: serde_json::from_slice(payload).unwrap_or_default() });
        rest = after;
    }
    items
}

/// The first line, and what follows its line feed.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}
