//! An HTTP server that stores the requests it receives: a Sentry server for what Bugsink does not store, or another service.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::Value;
use test_harness::wait;

const ARRIVAL: Duration = Duration::from_secs(20);

/// A received request. Header names are in lower case.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Method, target and version.
    pub line: String,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body, decompressed.
    pub body: Vec<u8>,
}

impl Received {
    /// The value of the only header with this name.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str());
        let first = found.next();
        assert_eq!(found.next(), None, "{name} is sent twice");
        first
    }

    /// The items of an envelope: the type and the content of each.
    pub fn items(&self) -> Vec<(String, Value)> {
        let text = String::from_utf8_lossy(&self.body);
        let lines: Vec<Value> = text.lines().skip(1).filter_map(|line| serde_json::from_str(line).ok()).collect();
        let named = lines
            .chunks_exact(2)
            .map(|item| (item[0]["type"].as_str().unwrap_or_default().to_owned(), item[1].clone()));
        named.collect()
    }
}

/// Answers every request with the same status and an empty JSON object, until it is dropped.
pub struct RecordingServer {
    port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    stop: Arc<AtomicBool>,
}

impl RecordingServer {
    /// Starts to listen on a free port. `status` is such as `200 OK`.
    pub fn start(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (received, stop) = (Arc::<Mutex<Vec<Received>>>::default(), Arc::<AtomicBool>::default());
        let (store, stopped) = (Arc::clone(&received), Arc::clone(&stop));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let store = Arc::clone(&store);
                thread::spawn(move || {
                    if let Some(request) = respond(stream, status) {
                        store.lock().expect("no thread panics with it").push(request);
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

    /// Its DSN, as a Sentry server.
    pub fn dsn(&self) -> String {
        format!("http://0123456789abcdef0123456789abcdef@127.0.0.1:{}/1", self.port)
    }

    /// The requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no thread panics with it").clone()
    }

    /// The items of this type in all envelopes so far.
    pub fn items(&self, kind: &str) -> Vec<Value> {
        let items = self.received().iter().flat_map(Received::items).collect::<Vec<_>>();
        items.into_iter().filter(|(own, _)| own == kind).map(|(_, item)| item).collect()
    }

    /// Waits for at least `n` items of this type.
    #[track_caller]
    pub fn wait_items(&self, kind: &str, n: usize) -> Vec<Value> {
        wait::until(&format!("{n} {kind} items"), ARRIVAL, || Some(self.items(kind)).filter(|items| items.len() >= n))
    }
}

impl Drop for RecordingServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener, so that it ends.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Reads one request and responds. Returns `None` if the connection ended early.
fn respond(stream: TcpStream, status: &str) -> Option<Received> {
    stream.set_read_timeout(Some(ARRIVAL)).ok()?;
    let mut stream = BufReader::new(stream);
    let mut next_line = || {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0).map(|_| line.trim_end().to_owned())
    };
    let mut request = Received { line: next_line()?, ..Received::default() };
    loop {
        let line = next_line()?;
        let Some((name, value)) = line.split_once(':') else { break };
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    request.body = if request.header("content-encoding") == Some("gzip") {
        let mut plain = Vec::new();
        GzDecoder::new(&body[..]).read_to_end(&mut plain).ok()?;
        plain
    } else {
        body
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
    );
    stream.get_mut().write_all(head.as_bytes()).ok()?;
    Some(request)
}
