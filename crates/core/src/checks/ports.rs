//! The listen addresses: free, held by the running service, or by another process.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use super::check_result::CheckResult;
use super::examined_process::ExaminedProcess;
use super::inherited_sockets::{self, Listener};
use super::listening::{Holder, listeners, socket_holders};
use crate::log_control::check_socket_path;
use crate::settings::{ListenHost, Settings};

pub(super) const API: &str = "api-port";
pub(super) const MANAGEMENT: &str = "management-port";
pub(super) const SOCKET: &str = "management-socket";

/// A listener and its settings.
struct Checked<'a> {
    name: &'static str,
    listener: Listener,
    /// The section of its settings.
    section: &'static str,
    host: &'a ListenHost,
    port: u16,
}

pub(super) fn check_api(settings: &Settings, examined: &ExaminedProcess) -> CheckResult {
    let (host, port) = (&settings.server.host, settings.server.port);
    Checked { name: API, listener: Listener::Api, section: "server", host, port }.check(examined)
}

pub(super) fn check_management(settings: &Settings, examined: &ExaminedProcess) -> CheckResult {
    let (host, port) = (&settings.management.host, settings.management.port);
    Checked { name: MANAGEMENT, listener: Listener::Management, section: "management", host, port }.check(examined)
}

/// What to do about an address that cannot be used; a failed start says the same.
pub(crate) fn address_remedy(section: &str) -> String {
    format!("set {section}.host and {section}.port to a free local address")
}

impl Checked<'_> {
    fn check(&self, examined: &ExaminedProcess) -> CheckResult {
        let Self { name, section, host, port, .. } = *self;
        if let Some(result) = self.check_inherited(examined) {
            return result;
        }
        if port == 0 {
            return CheckResult::ok(name, format!("{}, any free port ({section}.port is 0)", host.as_str()));
        }
        let address = host.with_port(port);
        let listeners = listeners(host, port);
        let inodes: Vec<u64> = listeners.iter().map(|it| it.inode).collect();
        let holders = socket_holders(&inodes);
        if let Some(pid) = examined.running {
            if holders.iter().any(|holder| holder.pid == pid) {
                return CheckResult::ok(name, format!("{address} is held by the running service"));
            }
            if listeners.is_empty() {
                let remedy = "the running service has other settings, or is stopping: see its start record";
                return CheckResult::fail(name, format!("nothing listens on {address}"), remedy);
            }
        }
        match listeners.first() {
            Some(listener) => self.held(examined, listener.uid, &holders),
            None => self.bind(examined),
        }
    }

    /// With inherited sockets the address of the settings has no effect.
    fn check_inherited(&self, examined: &ExaminedProcess) -> Option<CheckResult> {
        let addresses = inherited_sockets::addresses(examined, self.listener);
        if addresses.is_empty() {
            return None;
        }
        let shown = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let by = if examined.running.is_some() { "the running service" } else { "the start" };
        let configured = self.host.with_port(self.port);
        let section = self.section;
        let unused = match shown == configured {
            true => String::new(),
            false => format!("; {configured} ({section}.host and {section}.port) is not used"),
        };
        Some(CheckResult::ok(self.name, format!("{shown}, which {by} inherits from the service manager{unused}")))
    }

    /// Another process has the address.
    fn held(&self, examined: &ExaminedProcess, uid: u32, holders: &[Holder]) -> CheckResult {
        let (name, address) = (self.name, self.host.with_port(self.port));
        let names = holders.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if holders.is_empty() {
            let found = format!("{address} is held by a process of uid {uid} that cannot be seen");
            return CheckResult::warn(name, found, "run this command as root, or as that user");
        }
        let found = format!("{address} is held by {names}");
        if examined.running.is_none() && holders.iter().all(Holder::is_systemd) {
            return CheckResult::ok(name, format!("{found} for a socket unit, from which the start inherits it"));
        }
        CheckResult::fail(name, found, format!("stop it, or {}", address_remedy(self.section)))
    }

    /// Whether a start could listen.
    fn bind(&self, examined: &ExaminedProcess) -> CheckResult {
        let Self { name, section, host, port, .. } = *self;
        let address = host.with_port(port);
        match TcpListener::bind((host.as_str(), port)) {
            Ok(_) => CheckResult::ok(name, format!("{address} is free")),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => CheckResult::fail(
                name,
                format!("{} may not listen on {address}: {error}", examined.user()),
                format!("set {section}.port to 1024 or more, or give the program CAP_NET_BIND_SERVICE"),
            ),
            Err(error) => CheckResult::fail(name, format!("{address}: {error}"), address_remedy(section)),
        }
    }
}

pub(super) fn check_socket(settings: &Settings, examined: &ExaminedProcess) -> Option<CheckResult> {
    let socket = settings.management.socket.as_ref()?;
    let path = Path::new(socket);
    if examined.running.is_none() {
        return Some(match check_socket_path(path) {
            Ok(()) => CheckResult::ok(SOCKET, format!("{socket} is free")),
            Err(error) => CheckResult::fail(
                SOCKET,
                format!("{socket}: {error}"),
                "set management.socket to another path, or remove the file",
            ),
        });
    }
    let mode = fs::symlink_metadata(path).map(|it| (it.file_type().is_socket(), it.permissions().mode() & 0o777));
    Some(match mode {
        Ok((true, 0o600)) => CheckResult::ok(SOCKET, format!("{socket}, only for its owner")),
        Ok((true, mode)) => CheckResult::fail(
            SOCKET,
            format!("{socket} has the mode {mode:04o}: its requests need no token"),
            format!("chmod 600 {socket}"),
        ),
        _ => CheckResult::fail(SOCKET, format!("{socket} is not a socket any more"), "restart the service"),
    })
}
