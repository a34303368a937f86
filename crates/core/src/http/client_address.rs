//! Whose address a request came from, through the proxies that the settings trust.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::HeaderMap;

use crate::settings::Network;

/// The peer's address, or, when the peer is a trusted proxy, the nearest address in `Forwarded` or `X-Forwarded-For` that
/// is none.
pub(crate) fn client_address(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[Network]) -> Option<IpAddr> {
    let peer = peer?.ip();
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(peer) {
        return Some(peer);
    }
    let mut hops = forwarded(headers);
    if hops.is_empty() {
        hops = listed(headers, "x-forwarded-for").collect();
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
fn forwarded(headers: &HeaderMap) -> Vec<String> {
    let elements = listed(headers, "forwarded");
    let parameter = |element: String| {
        element.split(';').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    elements.filter_map(parameter).collect()
}

fn listed<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let values = headers.get_all(name).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|item| item.trim().to_owned())
}

/// An address with or without a port: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn client(peer: &str, header: (&'static str, &'static str)) -> String {
        let trusted = [Network::try_from("10.0.0.0/8".to_owned()).expect("a network")];
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(header.0), HeaderValue::from_static(header.1));
        client_address(peer.parse().ok(), &headers, &trusted).expect("there is a peer").to_string()
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
