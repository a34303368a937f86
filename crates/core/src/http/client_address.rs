//! Whose address a request came from, through the proxies that the settings trust.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{FORWARDED, HeaderName, X_FORWARDED_FOR};

use crate::settings::Network;

/// The peer's address, or, when the peer is a trusted proxy, the nearest address in `Forwarded` or `X-Forwarded-For` that
/// is none. `values` are those of a header.
pub(crate) fn client_address<'a, V: Iterator<Item = &'a str>>(
    peer: Option<SocketAddr>,
    values: impl Fn(&HeaderName) -> V,
    trusted: &[Network],
) -> Option<IpAddr> {
    let peer = peer?.ip();
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(peer) {
        return Some(peer);
    }
    let mut hops = forwarded(values(&FORWARDED));
    if hops.is_empty() {
        hops = listed(values(&X_FORWARDED_FOR)).collect();
    }
    let mut nearest = peer;
    for hop in hops.iter().rev() {
        // What is no address was written by nobody we trust.
        let Some(address) = address(hop) else { break };
        nearest = address;
        if !is_trusted(address) {
            break;
        }
    }
    Some(nearest)
}

/// The `for` of each element of RFC 7239's header.
fn forwarded<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let parameter = |element: &'a str| {
        element.split(';').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
        })
    };
    listed(values).filter_map(parameter).collect()
}

fn listed<'a>(values: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// An address with or without a port: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, (name, value): (&str, &'static str)) -> String {
        let trusted = [Network::try_from("10.0.0.0/8".to_owned()).expect("a network")];
        let values = |asked: &HeaderName| (asked == name).then_some(value).into_iter();
        client_address(peer.parse().ok(), values, &trusted).expect("there is a peer").to_string()
    }

    #[test]
    fn only_a_trusted_peer_is_believed() {
        assert_eq!(client("192.0.2.9:1", ("x-forwarded-for", "198.51.100.1")), "192.0.2.9");
        assert_eq!(client("10.0.0.1:1", ("x-forwarded-for", "198.51.100.1")), "198.51.100.1");
        assert_eq!(client("10.0.0.1:1", ("forwarded", "for=\"[2001:db8::1]:4711\";proto=https")), "2001:db8::1");
    }

    #[test]
    fn what_a_client_wrote_itself_is_not_believed() {
        assert_eq!(client("10.0.0.1:1", ("x-forwarded-for", "6.6.6.6, 198.51.100.1, 10.0.0.2")), "198.51.100.1");
        assert_eq!(client("10.0.0.1:1", ("x-forwarded-for", "6.6.6.6, nonsense")), "10.0.0.1");
    }
}
