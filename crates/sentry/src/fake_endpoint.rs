//! A fake Sentry server for tests: it returns scripted replies and records the requests.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sentry::types::Dsn;

/// The reply to one request; after the end of the script the server replies with 200.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    Status(u16),
    /// A status and one header.
    Header(u16, &'static str, &'static str),
    /// No reply until the server is dropped or [`FakeEndpoint::release`] is called; then the connection closes.
    Hang,
}

/// A received request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub at: Instant,
    /// The request line and the headers, in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    script: VecDeque<Reply>,
    received: Vec<Received>,
    hanging: Vec<TcpStream>,
    stopped: bool,
}

pub(crate) struct FakeEndpoint {
    pub dsn: Dsn,
    port: u16,
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeEndpoint {
    pub(crate) fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Mutex::new(Shared { script: script.into_iter().collect(), ..Default::default() }));
        let state = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if state.lock().stopped {
                    break;
                }
                // Clients may disconnect at any time.
                let _ = serve(stream.expect("it connects"), &state);
            }
        });
        Self { dsn: dsn(port), port, shared, thread: Some(thread) }
    }

    /// Appends replies to the script.
    pub(crate) fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.lock().script.extend(replies);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.lock().received.clone()
    }

    /// The messages of the events received.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.received().iter().map(|received| message(&received.body)).collect()
    }

    /// Closes the hanging connections.
    pub(crate) fn release(&self) {
        self.shared.lock().hanging.clear();
    }
}

impl Drop for FakeEndpoint {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.release();
        // Wakes up the thread, which then stops.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let thread = self.thread.take().expect("it is joined once");
        assert!(thread.join().is_ok() || std::thread::panicking(), "the fake endpoint panicked");
    }
}

/// The DSN of a server on a local port.
pub(crate) fn dsn(port: u16) -> Dsn {
    format!("http://public@127.0.0.1:{port}/7").parse().expect("it is a DSN")
}

/// A DSN whose port refuses connections.
pub(crate) fn refusing_dsn() -> Dsn {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    dsn(listener.local_addr().expect("it is bound").port())
}

/// The message of the event, or the name of the transaction, in an envelope.
pub(crate) fn message(envelope: &[u8]) -> String {
    use sentry::protocol::EnvelopeItem;
    let envelope = sentry::Envelope::from_slice(envelope).expect("it is an envelope");
    let text = envelope.items().find_map(|item| match item {
        EnvelopeItem::Event(event) => event.message.clone(),
        EnvelopeItem::Transaction(transaction) => transaction.name.clone(),
        _ => None,
    });
    text.unwrap_or_default()
}

/// Waits until a condition becomes true in another thread.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn serve(mut stream: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    if head.contains("content-encoding: gzip") {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain)?;
        body = plain;
    }
    let reply = {
        let mut shared = shared.lock();
        let reply = shared.script.pop_front().unwrap_or(Reply::Status(200));
        if matches!(reply, Reply::Hang) {
            shared.hanging.push(stream.try_clone()?);
        }
        shared.received.push(Received { at: Instant::now(), head, body });
        reply
    };
    let (status, header) = match reply {
        Reply::Hang => return Ok(()),
        Reply::Status(status) => (status, String::new()),
        Reply::Header(status, name, value) => (status, format!("{name}: {value}\r\n")),
    };
    write!(stream, "HTTP/1.1 {status} Scripted\r\n{header}content-length: 0\r\nconnection: close\r\n\r\n")
}
