//! A connection for many requests.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;

use super::{Reply, Request, receive};

/// A connection that is opened when it is needed, and used for the following requests until a response closes it.
#[derive(Debug, Default)]
pub struct KeepAlive {
    stream: Option<BufReader<TcpStream>>,
}

impl KeepAlive {
    /// Sends a request once, whatever happens. An incomplete response is an error.
    pub fn send(&mut self, request: &Request) -> io::Result<Reply> {
        // Without a result, the connection is closed.
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = request.connect()?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        stream.get_mut().write_all(&request.bytes(false))?;
        let reply = receive(&mut stream, request.method == "HEAD")?;
        if !reply.complete {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if reply.header("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close")) {
            self.stream = Some(stream);
        }
        Ok(reply)
    }

    /// Closes the connection if the server has closed it while it was idle, as HTTP expects of clients.
    pub fn close_if_ended(&mut self) {
        let is_open = |reader: &BufReader<TcpStream>| {
            let stream = reader.get_ref();
            let peeked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
            let is_idle = matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
            is_idle && stream.set_nonblocking(false).is_ok()
        };
        self.stream = self.stream.take().filter(is_open);
    }
}
