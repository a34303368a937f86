//! A connection of the load generator, with one request in flight.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// More than any head, and large enough to read a long body in few calls.
const BUFFER_SIZE: usize = 64 * 1024;

pub struct Connection {
    stream: TcpStream,
    sent_at: Instant,
    buffer: Vec<u8>,
    /// The length of the incomplete head in the buffer.
    filled: usize,
    /// The remaining length of the body, once the head is complete.
    body_left: Option<usize>,
}

/// The expected response.
#[derive(Clone, Copy)]
pub struct Expected {
    pub status: u16,
    pub body_bytes: usize,
}

pub enum Progress {
    Waiting,
    /// The response is complete; with its latency.
    Complete(Duration),
}

impl Connection {
    pub fn open(port: u16, registry: &Registry, n: usize) -> io::Result<Self> {
        let stream = std::net::TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        registry.register(&mut stream, Token(n), Interest::READABLE)?;
        Ok(Self { stream, sent_at: Instant::now(), buffer: vec![0; BUFFER_SIZE], filled: 0, body_left: None })
    }

    /// Sends a request. It never blocks: a request is far shorter than the empty send buffer.
    pub fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.sent_at = Instant::now();
        (self.filled, self.body_left) = (0, None);
        self.stream.write_all(request)
    }

    /// Reads the available bytes. After a complete response it does not read again until `WouldBlock`, since no more
    /// can come.
    pub fn receive(&mut self, expected: Expected) -> io::Result<Progress> {
        loop {
            let read = match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Progress::Waiting),
                Err(error) => return Err(error),
            };
            let of_body = match self.body_left {
                Some(_) => read,
                None => {
                    self.filled += read;
                    let Some(head) = head_bytes(&self.buffer[..self.filled]) else { continue };
                    check(&self.buffer[..head], expected)?;
                    self.body_left = Some(expected.body_bytes);
                    std::mem::take(&mut self.filled) - head
                }
            };
            let left = self.body_left.unwrap_or(0).checked_sub(of_body);
            self.body_left = Some(left.ok_or_else(|| wrong("more bytes than content-length"))?);
            if left == Some(0) {
                return Ok(Progress::Complete(self.sent_at.elapsed()));
            }
        }
    }
}

/// The length of the head, if it is complete.
fn head_bytes(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4)
}

fn check(head: &[u8], expected: Expected) -> io::Result<()> {
    let text = std::str::from_utf8(head).map_err(|_| wrong("a head that is not valid UTF-8"))?;
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status.get(9..12).and_then(|status| status.parse().ok()) != Some(expected.status) {
        return Err(wrong(status));
    }
    const NAME: &str = "content-length:";
    let length = lines.find(|line| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)));
    let length = length.and_then(|line| line[NAME.len()..].trim().parse().ok());
    if length != Some(expected.body_bytes) {
        return Err(wrong(&format!("a body of {length:?} bytes instead of {}", expected.body_bytes)));
    }
    Ok(())
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("unexpected response: {what}"))
}
