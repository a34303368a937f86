//! The listening sockets of the API.

use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{Shutdown, listen, shutdown};
use tokio::time::sleep;

/// The maximum number of connections that wait to be accepted, unless the system allows fewer; actix-web's default.
const BACKLOG: i32 = 2048;

/// How long to wait for the server to accept the connections that wait: it may be busy, or at its limit of connections.
const ACCEPT_LIMIT: Duration = Duration::from_millis(500);
const POLL_INTERVAL: Duration = Duration::from_millis(1);

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

    /// Refuses connections from now on, although the server still has the sockets; it logs that it cannot accept on them. On
    /// inherited sockets connections wait for the next process: no process could use a socket that is closed in this way.
    ///
    /// The system resets connections that were not accepted when a socket is closed, so it is closed in a moment without any.
    pub(super) async fn close(&self) {
        if self.are_inherited {
            return;
        }
        let deadline = Instant::now() + ACCEPT_LIMIT;
        for socket in &self.sockets {
            while has_waiting(socket) && Instant::now() < deadline {
                sleep(POLL_INTERVAL).await;
            }
            // Where the system does not allow it, connections wait until the workers stop.
            let _ = shutdown(socket, Shutdown::Read);
        }
    }
}

/// Whether a connection waits to be accepted.
fn has_waiting(socket: &TcpListener) -> bool {
    let mut polled = [PollFd::new(socket, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    #[actix_web::test]
    async fn a_closed_socket_refuses_connections_while_a_duplicate_is_open() {
        let sockets = ListeningSockets::bind("127.0.0.1", 0).expect("there is a free port");
        let duplicates = sockets.duplicate().expect("there are descriptors");
        let address = duplicates[0].local_addr().expect("it is bound");
        TcpStream::connect(address).expect("it listens");
        duplicates[0].accept().expect("a connection waits");
        sockets.close().await;
        let refused = TcpStream::connect(address).expect_err("it is closed");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[actix_web::test]
    async fn a_socket_is_closed_when_its_connections_have_been_accepted() {
        let sockets = ListeningSockets::bind("127.0.0.1", 0).expect("there is a free port");
        let server = sockets.duplicate().expect("there are descriptors").remove(0);
        let mut client = TcpStream::connect(server.local_addr().expect("it is bound")).expect("it listens");
        let (accepted, ()) = tokio::join!(
            async {
                sleep(POLL_INTERVAL * 20).await;
                server.accept()
            },
            sockets.close()
        );
        accepted.expect("it waited").0.write_all(b"served").expect("it is open");
        let mut received = String::new();
        client.read_to_string(&mut received).expect("it was not reset");
        assert_eq!(received, "served");
    }

    #[actix_web::test]
    async fn an_inherited_socket_keeps_accepting_connections() {
        let inherited = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = inherited.local_addr().expect("it is bound");
        let sockets = ListeningSockets::open(vec![inherited], "unused", 0).expect("nothing is bound");
        sockets.close().await;
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
