//! Who listens on a port, and who holds a file descriptor.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use procfs::net::{TcpState, tcp, tcp6};
use procfs::process::{FDPermissions, FDTarget, Process, all_processes};

use crate::settings::ListenHost;

/// A listening socket.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    pub inode: u64,
    pub address: SocketAddr,
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
    /// Whether it is systemd, of the system or of a user, which opens sockets for services.
    pub(super) fn is_systemd(&self) -> bool {
        self.name == "systemd"
    }

    fn of(process: &Process) -> Self {
        let name = process.stat().map(|stat| stat.comm).unwrap_or_else(|_| "a process that ended".into());
        let script = process.cmdline().ok().and_then(|arguments| script(&arguments));
        let is_interpreter = name.starts_with("python");
        Self { pid: process.pid, name: script.filter(|_| is_interpreter).unwrap_or(name) }
    }
}

/// The name of the script or the module that Python runs.
fn script(arguments: &[String]) -> Option<String> {
    let mut arguments = arguments.iter().skip(1);
    let first = arguments.by_ref().find(|argument| !argument.starts_with('-') || *argument == "-m")?;
    let name = match first.as_str() {
        "-m" => arguments.next()?.rsplit('.').next()?,
        path => path.rsplit('/').next()?,
    };
    Some(name.to_owned())
}

/// The listeners that an attempt to listen on this address would meet.
pub(super) fn listeners(host: &ListenHost, port: u16) -> Vec<Listener> {
    let wanted: Vec<IpAddr> =
        (host.as_str(), port).to_socket_addrs().map(|all| all.map(|it| it.ip()).collect()).unwrap_or_default();
    let meets = |address: &SocketAddr| {
        let is_same = |ip: &IpAddr| *ip == address.ip() || ip.is_unspecified() || address.ip().is_unspecified();
        address.port() == port && wanted.iter().any(is_same)
    };
    all_listeners().filter(|listener| meets(&listener.address)).collect()
}

pub(super) fn all_listeners() -> impl Iterator<Item = Listener> {
    let listening = tcp().into_iter().chain(tcp6()).flatten().filter(|entry| entry.state == TcpState::Listen);
    listening.map(|entry| Listener { inode: entry.inode, address: entry.local_address, uid: entry.uid })
}

/// The processes that hold one of these sockets, as far as the caller may see.
pub(super) fn socket_holders(inodes: &[u64]) -> Vec<Holder> {
    holders(|target, _| matches!(target, FDTarget::Socket(inode) if inodes.contains(inode)))
}

/// The processes that can read from a pipe, as far as the caller may see.
pub(super) fn pipe_readers(pipe: u64) -> Vec<Holder> {
    holders(|target, mode| {
        matches!(target, FDTarget::Pipe(inode) if *inode == pipe) && mode.contains(FDPermissions::READ)
    })
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

#[cfg(test)]
mod tests {
    #[test]
    fn an_interpreter_is_named_by_its_script() {
        let script = |text: &str| super::script(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(script("python3 /usr/bin/supervisord -n").as_deref(), Some("supervisord"));
        assert_eq!(script("python3 -I -m supervisor.supervisord -n").as_deref(), Some("supervisord"));
        assert_eq!(script("python3"), None);
    }
}
