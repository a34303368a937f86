//! A small HTTP/1.1 client for loopback.
//!
//! It returns a response as received: any status is a response, nothing is redirected, decompressed or retried, and a
//! truncated body is returned. (ureq decompresses gzip, drops the headers that state it, and has no option against it.) Each
//! request opens a new connection, so that tests do not share any; [`KeepAlive`] uses one for many.

mod keep_alive;

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpSocket;

pub use keep_alive::KeepAlive;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends requests to one port of 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    port: u16,
}

impl Client {
    /// A client for this port.
    pub fn new(port: u16) -> Self {
        Self { port }
    }

    /// A request with this method, to a path with an optional query.
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request { port: self.port, method: method.to_owned(), path: path.to_owned(), headers: vec![], body: vec![] }
    }

    /// A GET request.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// A POST request.
    pub fn post(&self, path: &str) -> Request {
        self.request("POST", path)
    }

    /// A PATCH request.
    pub fn patch(&self, path: &str) -> Request {
        self.request("PATCH", path)
    }

    /// A DELETE request.
    pub fn delete(&self, path: &str) -> Request {
        self.request("DELETE", path)
    }
}

/// A request that has not been sent.
#[derive(Clone, Debug)]
pub struct Request {
    port: u16,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format_args!("Bearer {token}"))
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, content_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self.header("content-type", content_type)
    }

    /// Sends it; panics when there is no response.
    #[track_caller]
    pub fn send(self) -> Reply {
        let what = self.to_string();
        self.try_send().unwrap_or_else(|e| panic!("no response to {what}: {e}"))
    }

    /// Sends it where a response may be missing: the server is down, or closes the connection.
    pub fn try_send(self) -> io::Result<Reply> {
        let mut stream = self.connect()?;
        let sent = stream.write_all(&self.bytes(true));
        // A server may respond and close before it has read everything: a write error counts only without a response.
        receive(&mut BufReader::new(stream), self.method == "HEAD")
            .map_err(|receive_error| sent.err().unwrap_or(receive_error))
    }

    /// Sends it without waiting for the response.
    pub fn dispatch(self) -> io::Result<PendingReply> {
        let mut stream = self.connect()?;
        stream.write_all(&self.bytes(true))?;
        Ok(PendingReply { stream, head_only: self.method == "HEAD" })
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(stream)
    }

    fn bytes(&self, closes: bool) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n", self.method, self.path, self.port);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !self.body.is_empty() || matches!(&*self.method, "POST" | "PUT" | "PATCH") {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        head += if closes { "connection: close\r\n\r\n" } else { "\r\n" };
        [head.as_bytes(), &self.body].concat()
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} http://127.0.0.1:{}{}", self.method, self.port, self.path)
    }
}

/// A request that was sent; its client can wait for the response or disconnect.
#[derive(Debug)]
pub struct PendingReply {
    stream: TcpStream,
    head_only: bool,
}

/// How a client disconnects.
#[derive(Clone, Copy, Debug)]
pub enum Disconnect {
    /// It closes the connection (FIN).
    Close,
    /// It resets the connection (RST).
    Reset,
}

impl PendingReply {
    /// Whether the first bytes of the response have arrived, or the server has closed the connection.
    pub fn is_answered(&self) -> io::Result<bool> {
        self.stream.set_nonblocking(true)?;
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false)?;
        match peeked {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            peeked => peeked.map(|_| true),
        }
    }

    /// Waits for the response.
    pub fn receive(self) -> io::Result<Reply> {
        receive(&mut BufReader::new(self.stream), self.head_only)
    }

    /// Closes the connection, with or without a response.
    pub fn disconnect(self, how: Disconnect) {
        match how {
            Disconnect::Close => drop(self.stream),
            Disconnect::Reset => {
                let socket = TcpSocket::from_std_stream(self.stream);
                socket.set_zero_linger().expect("SO_LINGER can be set to zero");
            }
        }
    }
}

/// A response.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers in the order received, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body without chunked framing, otherwise as sent: compression is not undone.
    pub body: Vec<u8>,
    /// Whether the complete body was received.
    pub complete: bool,
}

impl Reply {
    /// The first header with this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All values of a header.
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|e| panic!("the body is not UTF-8: {e}: {:?}", self.body))
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("status {} with a body that is not JSON ({e}): {}", self.status, self.text()))
    }
}

fn receive(reader: &mut BufReader<TcpStream>, head_only: bool) -> io::Result<Reply> {
    let mut reply = head(reader)?;
    while matches!(reply.status, 100..200) && reply.status != 101 {
        reply = head(reader)?;
    }
    let length = reply.header("content-length").and_then(|length| length.parse().ok());
    if head_only || matches!(reply.status, 101 | 204 | 304) {
        return Ok(reply);
    }
    let chunked = reply.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    reply.complete = match length {
        _ if chunked => chunks(reader, &mut reply.body).is_ok(),
        Some(length) => exactly(reader, length, &mut reply.body).is_ok(),
        None => reader.read_to_end(&mut reply.body).is_ok(),
    };
    Ok(reply)
}

fn head(reader: &mut impl BufRead) -> io::Result<Reply> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "the response is not HTTP");
    let status = line(reader)?.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(invalid)?;
    let mut headers = vec![];
    loop {
        let line = line(reader)?;
        if line.is_empty() {
            return Ok(Reply { status, headers, body: vec![], complete: true });
        }
        let (name, value) = line.split_once(':').ok_or_else(invalid)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = vec![];
    reader.read_until(b'\n', &mut bytes)?;
    match bytes.strip_suffix(b"\r\n") {
        Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let size = line(reader)?;
        let size = size.split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        exactly(reader, size, body)?;
        line(reader)?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn exactly(reader: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    match reader.by_ref().take(length).read_to_end(body)? as u64 == length {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
