//! The listening sockets of the API.

use std::io;
use std::net::{TcpListener, ToSocketAddrs};

use rustix::net::{Shutdown, listen, shutdown};

/// The maximum number of connections that wait to be accepted, unless the system allows fewer; actix-web's default.
const BACKLOG: i32 = 2048;

/// Listening sockets that the service has bound itself, or inherited.
///
/// actix-web owns its listeners until its workers stop. A client that connects in between is accepted by the system, sends its
/// request, and is reset in the end; one that finds the socket closed is refused, and tries another server.
pub(super) struct ListeningSockets {
    sockets: Vec<TcpListener>,
    /// Whether they were handed over by a supervisor, which keeps them for the next process.
    are_inherited: bool,
}

impl ListeningSockets {
    /// The inherited sockets if there are any, else sockets on each address of the host.
    ///
    /// # Errors
    /// Those of [`Self::bind`].
    pub(super) fn open(inherited: Vec<TcpListener>, host: &str, port: u16) -> io::Result<Self> {
        match inherited.is_empty() {
            true => Self::bind(host, port),
            false => Ok(Self { sockets: inherited, are_inherited: true }),
        }
    }

    /// Listens on each address of the host; an address that cannot be used is an error only when none can be.
    ///
    /// # Errors
    /// When the host has no address, or no socket can be bound.
    fn bind(host: &str, port: u16) -> io::Result<Self> {
        let mut sockets = Vec::new();
        let mut failed = io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address");
        for address in (host, port).to_socket_addrs()? {
            match TcpListener::bind(address).and_then(|socket| Ok((listen(&socket, BACKLOG)?, socket).1)) {
                Ok(socket) => sockets.push(socket),
                Err(error) => failed = error,
            }
        }
        if sockets.is_empty() { Err(failed) } else { Ok(Self { sockets, are_inherited: false }) }
    }

    /// The same sockets, for a server.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub(super) fn duplicate(&self) -> io::Result<Vec<TcpListener>> {
        self.sockets.iter().map(TcpListener::try_clone).collect()
    }

    /// Refuses connections from now on, although the server still has the sockets; it logs that it cannot accept any. On inherited sockets connections wait for the
    /// next process: no process could use a socket that is closed in this way.
    pub(super) fn close(&self) {
        if self.are_inherited {
            return;
        }
        for socket in &self.sockets {
            // Where the system does not allow it, connections wait until the workers stop.
            let _ = shutdown(socket, Shutdown::Read);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_closed_socket_refuses_connections_while_a_duplicate_is_open() {
        let sockets = ListeningSockets::bind("127.0.0.1", 0).expect("there is a free port");
        let duplicates = sockets.duplicate().expect("there are descriptors");
        let address = duplicates[0].local_addr().expect("it is bound");
        TcpStream::connect(address).expect("it listens");
        sockets.close();
        let refused = TcpStream::connect(address).expect_err("it is closed");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn an_inherited_socket_keeps_accepting_connections() {
        let inherited = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = inherited.local_addr().expect("it is bound");
        let sockets = ListeningSockets::open(vec![inherited], "unused", 0).expect("nothing is bound");
        sockets.close();
        TcpStream::connect(address).expect("the connection waits for the next process");
    }

    #[test]
    fn a_port_in_use_is_an_error() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = taken.local_addr().expect("it is bound").port();
        let error = ListeningSockets::bind("127.0.0.1", port).err().expect("the port is in use");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
