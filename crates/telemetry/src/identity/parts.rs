//! The parts of a request that records and events show. They are stored because they outlive the handler's request.

use std::net::IpAddr;

use http::header::{HOST, HeaderName, HeaderValue};
use http::{Method, Uri};
use serde::Deserialize;

/// The parts of a request that records and events show. The header values share their bytes with the request.
#[derive(Debug, Default)]
pub struct RequestParts {
    /// The method, as the client sent it.
    pub method: Method,
    /// The path and query, as the client sent them.
    pub uri: Uri,
    /// The address of the client.
    pub client: Option<IpAddr>,
    /// The header from which other processes of the service read the client's address.
    pub client_address_header: ClientAddressHeader,
    /// The headers that a sink may show.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Scheme and host; `None` means `http` and the value of the header `host`.
    pub origin: Option<String>,
}

impl RequestParts {
    /// The first header with this name.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// The full URL as the client requested it, if the trusted proxies report it correctly.
    #[must_use]
    pub fn url(&self) -> String {
        // A target in absolute form has a scheme and a host of the client's choice.
        let target = self.uri.path_and_query().map_or("", |target| target.as_str());
        let slash = if target.starts_with('/') { "" } else { "/" };
        match &self.origin {
            Some(origin) => format!("{origin}{slash}{target}"),
            None => {
                let host = self.header(&HOST).and_then(|host| host.to_str().ok());
                format!("http://{}{slash}{target}", host.unwrap_or_default())
            }
        }
    }

    /// The name and value of the header that forwards the client's address to another process.
    #[must_use]
    pub fn forwarded_client(&self) -> Option<(&'static str, String)> {
        let ip = self.client?;
        match self.client_address_header {
            ClientAddressHeader::None => None,
            ClientAddressHeader::XForwardedFor => Some(("x-forwarded-for", ip.to_string())),
            ClientAddressHeader::XRealIp => Some(("x-real-ip", ip.to_string())),
            ClientAddressHeader::Forwarded if ip.is_ipv6() => Some(("forwarded", format!("for=\"[{ip}]\""))),
            ClientAddressHeader::Forwarded => Some(("forwarded", format!("for={ip}"))),
        }
    }
}

/// The header in which trusted proxies send the client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAddressHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded`, of RFC 7239.
    Forwarded,
    /// `X-Real-IP`.
    XRealIp,
    /// No header: the peer is the client.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_starts_with_the_origin_or_the_host() {
        let uri = Uri::from_static("/orders?page=2");
        let host_alone = || RequestParts {
            headers: vec![(HOST, HeaderValue::from_static("shop.example"))],
            ..RequestParts::default()
        };
        let parts = RequestParts { uri, ..host_alone() };
        assert_eq!(parts.url(), "http://shop.example/orders?page=2");
        for target in ["http://evil.example/orders?page=2", "https://a:b@evil.example:8443/orders?page=2"] {
            let parts = RequestParts { uri: target.parse().expect("a target"), ..host_alone() };
            assert_eq!(parts.url(), "http://shop.example/orders?page=2", "{target}");
        }
        for (target, url) in [("*", "http://shop.example/*"), ("evil.example:443", "http://shop.example/")] {
            let parts = RequestParts { uri: target.parse().expect("a target"), ..host_alone() };
            assert_eq!(parts.url(), url, "{target}");
        }
        let parts = RequestParts { origin: Some("https://shop.example:8443".into()), ..parts };
        assert_eq!(parts.url(), "https://shop.example:8443/orders?page=2");
    }

    #[test]
    fn the_client_address_is_forwarded_in_the_configured_header() {
        let forwarded = |header, ip: &str| {
            let client = Some(ip.parse().expect("an address"));
            RequestParts { client, client_address_header: header, ..RequestParts::default() }.forwarded_client()
        };
        let of = |name, value: &str| Some((name, value.to_owned()));
        assert_eq!(forwarded(ClientAddressHeader::XForwardedFor, "192.0.2.1"), of("x-forwarded-for", "192.0.2.1"));
        assert_eq!(forwarded(ClientAddressHeader::XRealIp, "192.0.2.1"), of("x-real-ip", "192.0.2.1"));
        assert_eq!(forwarded(ClientAddressHeader::Forwarded, "192.0.2.1"), of("forwarded", "for=192.0.2.1"));
        assert_eq!(forwarded(ClientAddressHeader::Forwarded, "2001:db8::1"), of("forwarded", "for=\"[2001:db8::1]\""));
        assert_eq!(forwarded(ClientAddressHeader::None, "192.0.2.1"), None);
        assert_eq!(RequestParts::default().forwarded_client(), None);
    }
}
