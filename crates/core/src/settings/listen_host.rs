//! The host of a listen address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::Deserialize;

/// A host name or an IP address. An IPv6 address may be set in the brackets that it has in a URL; they are removed here, because
/// the system resolves only an address without them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct ListenHost(String);

impl From<String> for ListenHost {
    fn from(text: String) -> Self {
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let address = inner.filter(|inner| inner.contains(':')).map(str::to_owned);
        Self(address.unwrap_or(text))
    }
}

impl ListenHost {
    /// The host without brackets, as it is resolved.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address as text, with an IPv6 address in brackets.
    #[must_use]
    pub fn with_port(&self, port: u16) -> String {
        match self.0.contains(':') {
            true => format!("[{}]:{port}", self.0),
            false => format!("{}:{port}", self.0),
        }
    }

    /// The host to connect to: the loopback address where the listener is bound to all addresses.
    #[must_use]
    pub fn reachable(&self) -> Self {
        Self(self.0.parse().map_or_else(|_| self.0.clone(), |ip| reachable_ip(ip).to_string()))
    }
}

/// The address to connect to: the loopback address where the listener is bound to all addresses.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(reachable_ip(address.ip()), address.port())
}

fn reachable_ip(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// Checks the syntax of a listen address.
pub(super) fn check_host(host: &str) -> Result<(), String> {
    if ListenHost::from(host.to_owned()).as_str().contains(['/', ' ', '[', ']']) {
        return Err(format!("`{host}` is not an address; expected an IP address or a host name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> ListenHost {
        text.to_owned().into()
    }

    #[test]
    fn an_ipv6_address_has_brackets_only_beside_a_port() {
        for (set, resolved, shown) in [
            ("127.0.0.1", "127.0.0.1", "127.0.0.1:80"),
            ("localhost", "localhost", "localhost:80"),
            ("::1", "::1", "[::1]:80"),
            ("[::1]", "::1", "[::1]:80"),
            ("[fe80::1%lo]", "fe80::1%lo", "[fe80::1%lo]:80"),
        ] {
            assert_eq!((host(set).as_str(), host(set).with_port(80).as_str()), (resolved, shown), "{set}");
            assert_eq!(check_host(set), Ok(()), "{set}");
        }
        for refused in ["[::1", "::1]", "[localhost]", "[::1]:80", "a b", "http://a"] {
            assert!(check_host(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_host_of_all_addresses_is_reached_by_the_loopback_address() {
        for (set, expected) in [
            ("0.0.0.0", "127.0.0.1"),
            ("[::]", "::1"),
            ("0:0:0:0:0:0:0:0", "::1"),
            ("10.0.0.1", "10.0.0.1"),
            ("a.example", "a.example"),
        ] {
            assert_eq!(host(set).reachable().as_str(), expected, "{set}");
        }
    }
}
