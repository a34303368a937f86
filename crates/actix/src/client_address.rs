//! The client address of a request behind trusted proxies.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::ErrorInternalServerError;
use actix_web::http::header::{
    FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO,
};
use actix_web::{Error, FromRequest, HttpRequest};
use cyanotype_telemetry::request::{self, ClientAddressHeader};
use futures_util::future::{Ready, ready};

use crate::settings::{ClientAddressSettings, Network};

static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The address of a request's client. It is the peer's address or, when the peer is in `server.trusted_proxies`, the last address
/// in `server.client_address_header` that is not a trusted proxy.
///
/// ```
/// use cyanotype_actix::ClientAddress;
///
/// async fn read(client: ClientAddress) -> String {
///     format!("{} in block {}", client.ip(), client.block())
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The IP address. An IPv4-mapped IPv6 address is returned as IPv4.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.0
    }

    /// The block that identifies a client for rate limits: an IPv4 address, or an IPv6 /64, which one client usually has.
    #[must_use]
    pub fn block(self) -> IpAddr {
        match self.0 {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
            address @ IpAddr::V4(_) => address,
        }
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }
}

impl FromRequest for ClientAddress {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = request::with_current(|current| current.identity().parts.client).flatten().map(Self::from);
        let client = known.or_else(|| request.peer_addr().map(|peer| peer.ip().into()));
        ready(client.ok_or_else(|| ErrorInternalServerError("the connection has no address")))
    }
}

/// Resolves client addresses, with the trusted proxies and their header.
#[derive(Debug, Clone)]
pub struct ClientAddressResolver {
    /// The header in which trusted proxies send the client's address.
    pub header: ClientAddressHeader,
    trusted: Arc<[Network]>,
}

impl ClientAddressResolver {
    /// A resolver with these settings.
    #[must_use]
    pub fn new(settings: &ClientAddressSettings) -> Self {
        Self { header: settings.client_address_header, trusted: settings.trusted_proxies.clone().into() }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// Whether the peer is a trusted proxy.
    pub fn trusts_peer(&self, peer: Option<SocketAddr>) -> bool {
        peer.is_some_and(|peer| self.trusts(peer.ip()))
    }

    /// The client address of a request, if its peer has an address.
    pub fn resolve(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<ClientAddress> {
        let peer = peer?.ip();
        if !self.trusts(peer) {
            return Some(peer.into());
        }
        Some(self.forwarded(peer, headers).into())
    }

    fn forwarded(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        match self.header {
            ClientAddressHeader::None => peer,
            ClientAddressHeader::XRealIp => {
                // One address. A proxy that adds a header appends it, so the last header is the proxy's.
                headers.get_all(&X_REAL_IP).next_back().and_then(text).and_then(address).unwrap_or(peer)
            }
            ClientAddressHeader::XForwardedFor => self.nearest(peer, headers.get_all(&X_FORWARDED_FOR), Some),
            ClientAddressHeader::Forwarded => {
                self.nearest(peer, headers.get_all(&FORWARDED), |element| parameter(element, "for"))
            }
        }
    }

    /// Reads the list from right to left, up to the first address that is not a trusted proxy. Reading stops at an invalid
    /// address, because a trusted proxy did not write it, so the entries before it are untrusted.
    fn nearest<'a>(
        &self,
        peer: IpAddr,
        lines: impl DoubleEndedIterator<Item = &'a HeaderValue>,
        hop: impl Fn(&'a str) -> Option<&'a str>,
    ) -> IpAddr {
        let mut nearest = peer;
        for line in lines.rev() {
            for element in line.as_bytes().rsplit(|byte| *byte == b',') {
                let text = std::str::from_utf8(element).ok();
                let Some(address) = text.and_then(&hop).and_then(address) else { return nearest };
                nearest = address;
                if !self.trusts(address) {
                    return nearest;
                }
            }
        }
        nearest
    }

    /// The scheme and host that the client used, when a trusted proxy sends them.
    pub fn origin<'a>(&self, peer: Option<SocketAddr>, headers: &'a HeaderMap) -> [Option<&'a str>; 2] {
        if !self.trusts_peer(peer) {
            return [None, None];
        }
        // The peer wrote the last value.
        let last = |name: &HeaderName| {
            let line = headers.get_all(name).next_back().and_then(text)?;
            line.rsplit(',').next().map(str::trim)
        };
        match self.header {
            ClientAddressHeader::None => [None, None],
            ClientAddressHeader::Forwarded => {
                let element = last(&FORWARDED).unwrap_or_default();
                ["proto", "host"].map(|name| parameter(element, name))
            }
            ClientAddressHeader::XForwardedFor | ClientAddressHeader::XRealIp => {
                [&X_FORWARDED_PROTO, &X_FORWARDED_HOST].map(last)
            }
        }
    }

    /// Makes actix's `connection_info` follow the same rules. By default it trusts the headers of every client, and handlers and
    /// third-party middleware read it.
    pub fn override_connection_info(&self, request: &mut ServiceRequest) {
        const READ_BY_ACTIX: [HeaderName; 4] = [FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO];
        if READ_BY_ACTIX.iter().all(|name| !request.headers().contains_key(name)) {
            return;
        }
        let peer = request.peer_addr();
        // actix reads these headers and the host. All headers are restored below.
        let all = std::mem::take(request.headers_mut());
        let [scheme, host] = self.origin(peer, &all);
        let client = self.resolve(peer, &all).map(|client| client.ip().to_string());
        let headers = request.headers_mut();
        if let Some(host) = all.get(HOST) {
            headers.insert(HOST, host.clone());
        }
        let trusted = [(X_FORWARDED_PROTO, scheme), (X_FORWARDED_HOST, host), (X_FORWARDED_FOR, client.as_deref())];
        for (name, value) in trusted {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(name, value);
            }
        }
        // The first call caches the result.
        drop(request.connection_info());
        *request.headers_mut() = all;
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

/// A parameter of an element of `Forwarded` (RFC 7239). An incomplete quoted value was split at a comma or semicolon inside it.
/// Such an element may contain text that the client chose, and is ignored.
fn parameter<'a>(element: &'a str, wanted: &str) -> Option<&'a str> {
    let mut found = None;
    for pair in element.split(';').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim();
        let bare = value.strip_prefix('"').map_or(Some(value), |rest| rest.strip_suffix('"'))?;
        if bare.contains(['"', '\\']) {
            return None;
        }
        if found.is_none() && name.trim().eq_ignore_ascii_case(wanted) {
            found = Some(bare);
        }
    }
    found
}

/// An address with or without a port: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use cyanotype_telemetry::request::{CallerTrace, RequestParts};

    use super::*;

    fn resolver(header: ClientAddressHeader) -> ClientAddressResolver {
        let trusted = Network::try_from("10.0.0.0/8".to_owned()).expect("a network");
        ClientAddressResolver { header, trusted: [trusted].into() }
    }

    fn client(header: ClientAddressHeader, peer: &str, sent: &[(&str, &[u8])]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.append(name, HeaderValue::from_bytes(value).expect("a value"));
        }
        let peer = format!("{peer}:1").parse().ok();
        resolver(header).resolve(peer, &headers).expect("there is a peer").ip().to_string()
    }

    #[test]
    fn only_a_trusted_peer_sets_the_client_address() {
        use ClientAddressHeader::{Forwarded, XForwardedFor, XRealIp};
        assert_eq!(client(XForwardedFor, "192.0.2.9", &[("x-forwarded-for", b"198.51.100.1")]), "192.0.2.9");
        assert_eq!(client(XForwardedFor, "10.0.0.1", &[("x-forwarded-for", b"198.51.100.1")]), "198.51.100.1");
        assert_eq!(client(XForwardedFor, "[::ffff:10.0.0.1]", &[("x-forwarded-for", b"2001:db8::1")]), "2001:db8::1");
        assert_eq!(client(XForwardedFor, "[::ffff:192.0.2.9]", &[]), "192.0.2.9");
        let forwarded: [(&str, &[u8]); 1] = [("forwarded", b"FOR = \"[2001:db8::1]:4711\";proto=https")];
        assert_eq!(client(Forwarded, "10.0.0.1", &forwarded), "2001:db8::1");
        assert_eq!(client(XRealIp, "10.0.0.1", &[("x-real-ip", b"198.51.100.1:80")]), "198.51.100.1");
        assert_eq!(client(XRealIp, "192.0.2.9", &[("x-real-ip", b"198.51.100.1")]), "192.0.2.9");
    }

    #[test]
    fn only_the_configured_header_is_read() {
        use ClientAddressHeader::{Forwarded, None, XForwardedFor, XRealIp};
        let all: [(&str, &[u8]); 3] =
            [("forwarded", b"for=6.6.6.1"), ("x-forwarded-for", b"6.6.6.2"), ("x-real-ip", b"6.6.6.3")];
        let read = |header| client(header, "10.0.0.1", &all);
        assert_eq!([Forwarded, XForwardedFor, XRealIp, None].map(read), ["6.6.6.1", "6.6.6.2", "6.6.6.3", "10.0.0.1"]);
        for (at, header) in [Forwarded, XForwardedFor, XRealIp].into_iter().enumerate() {
            let others: Vec<_> = all.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, it)| *it).collect();
            assert_eq!(client(header, "10.0.0.1", &others), "10.0.0.1", "{header:?}");
        }
    }

    #[test]
    fn addresses_that_the_client_wrote_are_ignored() {
        use ClientAddressHeader::{Forwarded, XForwardedFor, XRealIp};
        let listed = |lines: &[&[u8]]| {
            let sent: Vec<(&str, &[u8])> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            client(XForwardedFor, "10.0.0.1", &sent)
        };
        assert_eq!(listed(&[b"6.6.6.6, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(listed(&[b"6.6.6.6", b"198.51.100.1,10.0.0.2", b"10.0.0.3"]), "198.51.100.1");
        for unreadable in [&b"nonsense"[..], b"\xff", b"", b"unknown", b"[198.51.100.1", b"6.6.6.6;for=6.6.6.6"] {
            assert_eq!(listed(&[b"6.6.6.6", &[unreadable, b", 10.0.0.2"].concat()]), "10.0.0.2");
        }
        let elements = |line: &'static [u8]| client(Forwarded, "10.0.0.1", &[("forwarded", line)]);
        // A comma, a semicolon and a quote in a value that the client chose and its proxy quoted.
        assert_eq!(elements(b"for=198.51.100.1;host=\"a,for=6.6.6.6\""), "10.0.0.1");
        assert_eq!(elements(b"host=\"a;for=6.6.6.6\";for=198.51.100.1"), "10.0.0.1");
        assert_eq!(elements(b"for=198.51.100.1;host=\"a\""), "198.51.100.1");
        assert_eq!(elements(b"for=6.6.6.6, for=198.51.100.1;by=10.0.0.1"), "198.51.100.1");
        assert_eq!(elements(b"for=\"6.6.6.6, for=198.51.100.1"), "198.51.100.1");
        // The proxy does not name the client.
        assert_eq!(elements(b"for=6.6.6.6, proto=https"), "10.0.0.1");
        assert_eq!(elements(b"for=6.6.6.6, for=_hidden"), "10.0.0.1");
        let real: [(&str, &[u8]); 2] = [("x-real-ip", b"6.6.6.6"), ("x-real-ip", b"198.51.100.1")];
        assert_eq!(client(XRealIp, "10.0.0.1", &real), "198.51.100.1");
        assert_eq!(client(XRealIp, "10.0.0.1", &[("x-real-ip", b"6.6.6.6, 198.51.100.1")]), "10.0.0.1");
    }

    #[test]
    fn a_block_is_an_ipv4_address_or_an_ipv6_network() {
        let block = |text: &str| ClientAddress::from(text.parse::<IpAddr>().expect("an address")).block().to_string();
        assert_eq!(block("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(block("::ffff:192.0.2.1"), "192.0.2.1");
        assert_ne!(block("2001:db8:1:2::1"), block("2001:db8:1:3::1"));
    }

    #[test]
    fn a_forwarded_client_address_is_read_by_another_process() {
        use ClientAddressHeader::{Forwarded, XForwardedFor, XRealIp};
        for ip in ["198.51.100.1", "2001:db8::1"] {
            for header in [Forwarded, XForwardedFor, XRealIp] {
                let sent = Some(ip.parse().expect("an address"));
                let parts = RequestParts { client: sent, client_address_header: header, ..RequestParts::default() };
                let (name, value) = parts.forwarded_client().expect("there is a header");
                assert_eq!(client(header, "10.0.0.1", &[(name, value.as_bytes())]), ip, "{header:?}");
            }
        }
    }

    fn connection(header: ClientAddressHeader, peer: &str, sent: &[(&str, &str)]) -> [String; 3] {
        let request = TestRequest::get().peer_addr(format!("{peer}:1").parse().expect("an address"));
        let request = request.insert_header(("host", "here"));
        let mut request = sent.iter().fold(request, |request, sent| request.append_header(*sent)).to_srv_request();
        let before = request.headers().clone();
        resolver(header).override_connection_info(&mut request);
        assert_eq!(format!("{before:?}"), format!("{:?}", request.headers()));
        let info = request.connection_info();
        [info.scheme(), info.host(), info.realip_remote_addr().expect("there is a peer")].map(str::to_owned)
    }

    #[test]
    fn connection_info_follows_trusted_proxies_only() {
        use ClientAddressHeader::{Forwarded, None, XForwardedFor};
        let sent = [
            ("forwarded", "for=6.6.6.1;host=evil;proto=wss, for=6.6.6.2;host=shop;proto=https"),
            ("x-forwarded-for", "6.6.6.3"),
            ("x-forwarded-host", "evil, store"),
            ("x-forwarded-proto", "https"),
        ];
        for header in [Forwarded, XForwardedFor, None] {
            assert_eq!(connection(header, "192.0.2.9", &sent), ["http", "here", "192.0.2.9"]);
        }
        assert_eq!(connection(Forwarded, "10.0.0.1", &sent), ["https", "shop", "6.6.6.2"]);
        assert_eq!(connection(XForwardedFor, "10.0.0.1", &sent), ["https", "store", "6.6.6.3"]);
        assert_eq!(connection(None, "10.0.0.1", &sent), ["http", "here", "10.0.0.1"]);
        assert_eq!(connection(XForwardedFor, "10.0.0.1", &[]), ["http", "here", "10.0.0.1"]);
    }

    #[test]
    fn the_first_parameter_of_a_name_is_used() {
        assert_eq!(parameter("proto=https;for=1", "for"), Some("1"));
        assert_eq!(parameter("for=1;FOR=2", "for"), Some("1"));
        assert_eq!(parameter(" ;for = \"1\" ;", "For"), Some("1"));
        assert_eq!(parameter("proto=https", "for"), None);
        assert_eq!(parameter("proto;for=1", "for"), None);
    }

    #[actix_web::test]
    async fn the_extractor_falls_back_to_the_peer_address() {
        let extract = |peer: Option<&str>| {
            let request = TestRequest::get();
            let request = match peer {
                Some(peer) => request.peer_addr(peer.parse().expect("an address")),
                None => request,
            };
            let request = request.to_http_request();
            async move { ClientAddress::extract(&request).await.map(|client| client.ip().to_string()).ok() }
        };
        assert_eq!(extract(Some("[::ffff:192.0.2.9]:1")).await.as_deref(), Some("192.0.2.9"));
        assert_eq!(extract(None).await, None);

        let parts = RequestParts { client: "198.51.100.1".parse().ok(), ..RequestParts::default() };
        let pipeline = crate::test_support::Fixture::new(&[]).pipeline;
        let context = Arc::new(pipeline.begin_request(None, CallerTrace::default(), parts));
        let found = request::run_in(context, extract(Some("192.0.2.9:1"))).await;
        assert_eq!(found.as_deref(), Some("198.51.100.1"));
    }
}
