//! Listening sockets that systemd has opened (socket activation). They stay open while the service restarts.

use std::env;
use std::net::TcpListener;

use listenfd::ListenFd;

use crate::checks::Listener;
use crate::server::error::StartError;

/// The names of the sockets, in their order, separated by colons. systemd sets it from `FileDescriptorName=`.
const NAMES: &str = "LISTEN_FDNAMES";

/// The sockets for each listener. A listener without one binds the address of its settings.
#[derive(Debug, Default)]
pub(in crate::server) struct InheritedSockets {
    pub api: Vec<TcpListener>,
    pub management: Vec<TcpListener>,
}

impl InheritedSockets {
    /// Takes the sockets, and makes them close-on-exec. It removes `LISTEN_FDS` and `LISTEN_PID` from the environment, so it must run
    /// before there are other threads.
    ///
    /// # Errors
    /// When a socket is not a TCP socket.
    pub(in crate::server) fn take() -> Result<Self, StartError> {
        let names = env::var(NAMES).unwrap_or_default();
        let mut names = names.split(':');
        let mut descriptors = ListenFd::from_env();
        let mut sockets = Self::default();
        for index in 0..descriptors.len() {
            let name = names.next().unwrap_or_default();
            let socket = descriptors
                .take_tcp_listener(index)
                .map_err(|source| StartError::InheritedSocket { name: name.to_owned(), source })?;
            match Listener::of_socket(name) {
                Listener::Api => sockets.api.extend(socket),
                Listener::Management => sockets.management.extend(socket),
            }
        }
        Ok(sockets)
    }
}
