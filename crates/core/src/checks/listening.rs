//! Who listens on a port, and who holds a file descriptor.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use procfs::net::{TcpState, tcp, tcp6};
use procfs::process::{FDPermissions, FDTarget, Process, all_processes};

/// A listening socket.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    pub inode: u64,
    /// The user that opened it.
    pub uid: u32,
}

/// A process that holds a descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pub pid: i32,
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

impl Holder {
    fn of(process: &Process) -> Self {
        // The kernel cuts names to 15 bytes; the program's arguments have the name of a script.
        let script = process.cmdline().ok().and_then(|arguments| arguments.get(1).cloned()).unwrap_or_default();
        let script = script.rsplit('/').next().unwrap_or_default().to_owned();
        let name = process.stat().map(|stat| stat.comm).unwrap_or_else(|_| "a process that ended".into());
        let is_interpreter = name.starts_with("python") && !script.is_empty() && !script.starts_with('-');
        Self { pid: process.pid, name: if is_interpreter { script } else { name } }
    }
}

/// The listeners that an attempt to listen on this address would meet.
pub(super) fn listeners(host: &str, port: u16) -> Vec<Listener> {
    let host = host.trim_matches(['[', ']']);
    let wanted: Vec<IpAddr> =
        (host, port).to_socket_addrs().map(|all| all.map(|it| it.ip()).collect()).unwrap_or_default();
    let meets = |address: &SocketAddr| {
        let is_same = |ip: &IpAddr| *ip == address.ip() || ip.is_unspecified() || address.ip().is_unspecified();
        address.port() == port && wanted.iter().any(is_same)
    };
    let all = tcp().into_iter().chain(tcp6()).flatten();
    let listening = all.filter(|entry| entry.state == TcpState::Listen && meets(&entry.local_address));
    listening.map(|entry| Listener { inode: entry.inode, uid: entry.uid }).collect()
}

/// The processes that hold one of these sockets, as far as the caller may see.
pub(super) fn socket_holders(inodes: &[u64]) -> Vec<Holder> {
    holders(|target, _| matches!(target, FDTarget::Socket(inode) if inodes.contains(inode)))
}

/// The processes that can read from a pipe, as far as the caller may see.
pub(super) fn pipe_readers(pipe: u64) -> Vec<Holder> {
    holders(|target, mode| matches!(target, FDTarget::Pipe(inode) if *inode == pipe) && mode.contains(FDPermissions::READ))
}

fn holders(is_held: impl Fn(&FDTarget, FDPermissions) -> bool) -> Vec<Holder> {
    let processes = all_processes().into_iter().flatten().flatten();
    let holding = processes.filter(|process| {
        let descriptors = process.fd().into_iter().flatten().flatten();
        descriptors.into_iter().any(|descriptor| is_held(&descriptor.target, descriptor.mode()))
    });
    holding.map(|process| Holder::of(&process)).collect()
}

/// The processes with this name, as the kernel cuts it.
pub(super) fn named(name: &str) -> Vec<Holder> {
    let processes = all_processes().into_iter().flatten().flatten();
    processes.filter(|process| process.stat().is_ok_and(|stat| stat.comm == name)).map(|it| Holder::of(&it)).collect()
}
