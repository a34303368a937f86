//! Clients that must never see a refused, reset or unanswered request.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const READ_LIMIT: Duration = Duration::from_secs(30);

/// Running clients. Half of them open a connection for each request; the others reuse it until a response closes it.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    pub fn start(port: u16, clients: usize) -> Self {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let client = |index: usize| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            thread::spawn(move || {
                let mut failures = Vec::new();
                let mut connection = None;
                while !stop.load(Ordering::Relaxed) {
                    match request(&mut connection, port, index.is_multiple_of(2)) {
                        Ok(204) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                        Ok(status) => failures.push(format!("status {status}")),
                        Err(error) => {
                            connection = None;
                            failures.push(error.to_string());
                        }
                    }
                    thread::sleep(Duration::from_millis(2));
                }
                failures
            })
        };
        let clients = (0..clients).map(client).collect();
        Self { stop, answered, clients }
    }

    /// The number of responses with status 204 so far.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends the clients, and returns all failures.
    pub fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().expect("a client does not panic")).collect()
    }
}

fn request(connection: &mut Option<BufReader<TcpStream>>, port: u16, closes: bool) -> io::Result<u16> {
    let last = if closes { "connection: close\r\n" } else { "" };
    let body = r#"{"steps":[{"do":"sleep","ms":3}]}"#;
    let head = format!("POST /probe/run/quiet HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{last}");
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    // A server may close a connection between two requests. As HTTP expects of clients, a closed one is replaced.
    let is_open = |open: &mut BufReader<TcpStream>| !is_closed(open.get_ref()) && send(open, &request).is_ok();
    let reader = match connection.take().and_then(|mut open| is_open(&mut open).then_some(open)) {
        Some(reader) => connection.insert(reader),
        None => {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_read_timeout(Some(READ_LIMIT))?;
            stream.set_nodelay(true)?;
            let reader = connection.insert(BufReader::new(stream));
            send(reader, &request)?;
            reader
        }
    };
    let (mut status, mut length, mut is_last, mut line) = (0, 0, closes, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed without a response"));
        }
        let lower = line.to_ascii_lowercase();
        if let Some(rest) = lower.strip_prefix("http/1.1 ") {
            status = rest.get(..3).and_then(|status| status.parse().ok()).unwrap_or_default();
        } else if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
        } else if lower.trim() == "connection: close" {
            is_last = true;
        } else if line == "\r\n" {
            io::copy(&mut reader.take(length), &mut io::sink())?;
            if is_last {
                *connection = None;
            }
            return Ok(status);
        }
    }
}

/// Whether the server has closed an idle connection.
fn is_closed(stream: &TcpStream) -> bool {
    let peeked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
    let is_open = matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    !is_open || stream.set_nonblocking(false).is_err()
}

/// In one write: it fails only when the connection was closed before.
fn send(connection: &mut BufReader<TcpStream>, request: &str) -> io::Result<()> {
    connection.get_mut().write_all(request.as_bytes())
}
