//! The listening sockets that the examined process was started with (`LISTEN_FDS`). Its listeners use them instead of the
//! addresses in the settings.

use std::net::SocketAddr;

use super::examined_process::ExaminedProcess;
use super::listening::all_listeners;

/// The name of a socket for the management listener.
const MANAGEMENT: &str = "management";
/// The descriptor of the first socket.
const FIRST: u32 = 3;
/// The maximum number of sockets that are looked at.
const MAX_SOCKETS: usize = 1024;

/// Which listener a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    Api,
    Management,
}

impl Listener {
    /// The listener that an inherited socket of this name is for. Sockets with any other name are the API's.
    pub(crate) fn of_socket(name: &str) -> Self {
        if name == MANAGEMENT { Self::Management } else { Self::Api }
    }
}

/// The addresses of the inherited sockets that a listener of the process has open; none without any.
pub(super) fn addresses(examined: &ExaminedProcess, of: Listener) -> Vec<SocketAddr> {
    let Some(variables) = examined.environment() else { return Vec::new() };
    let variable = |name: &str| variables.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let count: u32 = variable("LISTEN_FDS").and_then(|count| count.parse().ok()).unwrap_or_default();
    // They may be meant for another process, from which this one has the variable.
    let is_for_it = variable("LISTEN_PID").is_none_or(|pid| pid.parse() == Ok(examined.pid()));
    if count == 0 || !is_for_it {
        return Vec::new();
    }
    let first = variable("LISTEN_FDS_FIRST_FD").and_then(|first| first.parse().ok()).unwrap_or(FIRST);
    let mut names = variable("LISTEN_FDNAMES").unwrap_or_default().split(':');
    let listening: Vec<_> = all_listeners().collect();
    let mut addresses = Vec::new();
    for descriptor in (first..first.saturating_add(count)).take(MAX_SOCKETS) {
        let name = names.next().unwrap_or_default();
        let inode = examined.socket(descriptor).filter(|_| Listener::of_socket(name) == of);
        let open = listening.iter().find(|listener| Some(listener.inode) == inode);
        addresses.extend(open.map(|listener| listener.address));
    }
    addresses
}
