//! Who can reach the management listener.

use std::net::{IpAddr, ToSocketAddrs};

use super::check_result::CheckResult;
use crate::settings::ManagementSettings;

pub(super) const NAME: &str = "management";
/// A shorter token can be guessed where many can try.
const MIN_TOKEN: usize = 32;

pub(super) fn check(settings: &ManagementSettings) -> CheckResult {
    let ManagementSettings { host, port, token, .. } = settings;
    let host = host.as_str();
    let addresses: Vec<IpAddr> =
        (host, *port).to_socket_addrs().map(|all| all.map(|it| it.ip()).collect()).unwrap_or_default();
    if addresses.is_empty() {
        return CheckResult::fail(
            NAME,
            format!("management.host {host} has no address"),
            "set management.host to an IP address",
        );
    }
    let is_local = addresses.iter().all(IpAddr::is_loopback);
    let with = if token.is_some() { "with a token" } else { "without a token" };
    match token {
        _ if is_local => CheckResult::ok(NAME, format!("{host}, only from this machine, {with}")),
        None => CheckResult::warn(
            NAME,
            format!("{host}, from other machines, without a token: they can read what is logged (/log)"),
            "set management.token, or management.host=127.0.0.1",
        ),
        Some(token) if token.len() < MIN_TOKEN => CheckResult::warn(
            NAME,
            format!("{host}, from other machines, with a token of {} characters", token.len()),
            format!("set management.token to {MIN_TOKEN} random characters"),
        ),
        Some(_) => CheckResult::ok(NAME, format!("{host}, from other machines, {with}")),
    }
}
