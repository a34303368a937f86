//! The listen addresses: free, held by the running service, or by another process.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use super::check_result::CheckResult;
use super::examined_process::ExaminedProcess;
use super::listening::{listeners, socket_holders};
use crate::log_control::check_socket_path;
use crate::settings::Settings;

pub(super) const API: &str = "api-port";
pub(super) const MANAGEMENT: &str = "management-port";
pub(super) const SOCKET: &str = "management-socket";

pub(super) fn check_api(settings: &Settings, examined: &ExaminedProcess) -> CheckResult {
    check(API, "server", &settings.server.host, settings.server.port, examined)
}

pub(super) fn check_management(settings: &Settings, examined: &ExaminedProcess) -> CheckResult {
    check(MANAGEMENT, "management", &settings.management.host, settings.management.port, examined)
}

/// What to do about an address that cannot be used; a failed start says the same.
pub(crate) fn remedy(section: &str) -> String {
    format!("set {section}.host and {section}.port to a free local address")
}

fn check(name: &'static str, section: &'static str, host: &str, port: u16, examined: &ExaminedProcess) -> CheckResult {
    let address = format!("{host}:{port}");
    if port == 0 {
        return CheckResult::ok(name, format!("{host}, any free port ({section}.port is 0)"));
    }
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
    if !listeners.is_empty() {
        let names = holders.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if names.is_empty() {
            let uid = listeners.first().map_or(0, |it| it.uid);
            let found = format!("{address} is held by a process of uid {uid} that cannot be seen");
            return CheckResult::warn(name, found, "run this command as root, or as that user");
        }
        return CheckResult::fail(
            name,
            format!("{address} is held by {names}"),
            format!("stop it, or {}", remedy(section)),
        );
    }
    match TcpListener::bind((host.trim_matches(['[', ']']), port)) {
        Ok(_) => CheckResult::ok(name, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => CheckResult::fail(
            name,
            format!("{} may not listen on {address}: {error}", examined.user()),
            format!("set {section}.port to 1024 or more, or give the program CAP_NET_BIND_SERVICE"),
        ),
        Err(error) => CheckResult::fail(name, format!("{address}: {error}"), remedy(section)),
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
