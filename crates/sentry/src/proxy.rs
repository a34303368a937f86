//! The proxy of the environment: `HTTPS_PROXY` for https, `HTTP_PROXY` for http, else `ALL_PROXY`; not for hosts in `NO_PROXY`. Each
//! name may be in lower case.

use std::net::IpAddr;

use ipnet::IpNet;
use sentry::types::{Dsn, Scheme};

/// The proxy for a DSN, if the environment has one.
///
/// # Errors
/// The variable whose value cannot be used, and why.
pub(crate) fn from_env(dsn: &Dsn, env: impl Fn(&str) -> Option<String>) -> Result<Option<ureq::Proxy>, String> {
    let read = |name: &'static str| {
        let value = env(name).or_else(|| env(&name.to_ascii_lowercase()))?;
        Some((name, value.trim().to_owned()))
    };
    let own = match dsn.scheme() {
        Scheme::Https => "HTTPS_PROXY",
        Scheme::Http => "HTTP_PROXY",
    };
    // An empty variable means no proxy.
    let Some((name, url)) = read(own).or_else(|| read("ALL_PROXY")).filter(|(_, url)| !url.is_empty()) else {
        return Ok(None);
    };
    let excluded = read("NO_PROXY").is_some_and(|(_, list)| is_excluded(&list, dsn.host(), dsn.port()));
    if excluded {
        return Ok(None);
    }
    let proxy = ureq::Proxy::new(&url).map_err(|_| format!("{name} is not the URL of a proxy"))?;
    match proxy.protocol() {
        ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https => Ok(Some(proxy)),
        other => Err(format!("{name} has the scheme {other}, which is not supported; expected http or https")),
    }
}

/// Whether a list excludes a host: `*`, a domain with its subdomains, an address or a network, each with an optional port.
fn is_excluded(list: &str, host: &str, port: u16) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.');
    let address: Option<IpAddr> = host.parse().ok();
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let (entry, entry_port) = split_port(entry);
        if entry_port.is_some_and(|expected| expected != port) {
            return false;
        }
        match address {
            _ if entry == "*" => true,
            Some(address) => is_in_network(address, entry),
            None => is_in_domain(host, entry),
        }
    })
}

/// Splits `HOST:PORT`; an address of IPv6 has a port only after brackets.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    let is_bare_ipv6 = !entry.starts_with('[') && entry.matches(':').count() > 1;
    match entry.rsplit_once(':') {
        Some((host, port)) if !is_bare_ipv6 => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

fn is_in_network(address: IpAddr, entry: &str) -> bool {
    let entry = entry.trim_matches(['[', ']']);
    let network = entry.parse().or_else(|_| entry.parse().map(|address: IpAddr| IpNet::from(address)));
    network.is_ok_and(|network: IpNet| network.contains(&address))
}

fn is_in_domain(host: &str, entry: &str) -> bool {
    let domain = entry.trim_start_matches('*').trim_start_matches('.').trim_end_matches('.');
    let Some(at) = host.len().checked_sub(domain.len()).filter(|_| !domain.is_empty()) else { return false };
    let (before, end) = host.as_bytes().split_at(at);
    end.eq_ignore_ascii_case(domain.as_bytes()) && (before.is_empty() || before.ends_with(b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The proxy for `https://k@HOST/1` or `http://k@HOST/1`.
    fn proxy(url: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let dsn: Dsn = url.replace("://", "://k@").parse().expect("it is a DSN");
        let env = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        from_env(&dsn, env).map(|proxy| proxy.map(|proxy| format!("{}:{}", proxy.host(), proxy.port())))
    }

    fn host(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        proxy(url, variables).expect("the variables are valid")
    }

    #[test]
    fn each_scheme_has_its_own_proxy() {
        let both = [("HTTP_PROXY", "http://plain:1"), ("HTTPS_PROXY", "http://secure:2")];
        assert_eq!(host("https://sentry/1", &both).as_deref(), Some("secure:2"));
        assert_eq!(host("http://sentry/1", &both).as_deref(), Some("plain:1"));
        assert_eq!(host("https://sentry/1", &both[..1]), None);
        assert_eq!(host("http://sentry/1", &both[1..]), None);
        let lower = [("http_proxy", "http://plain:1"), ("https_proxy", "secure:2"), ("all_proxy", "http://all:3")];
        assert_eq!(host("https://sentry/1", &lower).as_deref(), Some("secure:2"));
        assert_eq!(host("http://sentry/1", &lower).as_deref(), Some("plain:1"));
        assert_eq!(host("http://sentry/1", &lower[2..]).as_deref(), Some("all:3"));
        let off = [("HTTPS_PROXY", ""), ("ALL_PROXY", "http://all:3")];
        assert_eq!(host("https://sentry/1", &off), None, "an empty value switches it off");
    }

    #[test]
    fn unusable_proxies_are_named_without_their_password() {
        for url in ["http://", "socks5://user:hunter2@proxy", "gopher://user:hunter2@proxy"] {
            let error = proxy("https://sentry/1", &[("HTTPS_PROXY", url)]).expect_err("it is unusable");
            assert!(error.starts_with("HTTPS_PROXY ") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn no_proxy_has_hosts_domains_ports_and_networks() {
        for (list, url, excluded) in [
            ("*", "http://sentry.example/1", true),
            ("sentry.example", "http://sentry.example/1", true),
            ("SENTRY.example", "http://sentry.EXAMPLE/1", true),
            ("example", "http://sentry.example/1", true),
            (".example", "http://sentry.example/1", true),
            ("*.example", "http://sentry.example/1", true),
            ("ample", "http://sentry.example/1", false),
            ("sentry.example", "http://example/1", false),
            ("a, b ,sentry.example", "http://sentry.example/1", true),
            ("sentry.example:9000", "http://sentry.example:9000/1", true),
            ("sentry.example:9001", "http://sentry.example:9000/1", false),
            ("sentry.example:443", "https://sentry.example/1", true),
            ("10.0.0.0/8", "http://10.1.2.3/1", true),
            ("10.0.0.0/8", "http://11.1.2.3/1", false),
            ("10.1.2.3", "http://10.1.2.3/1", true),
            ("10.1.2.3:80", "http://10.1.2.3/1", true),
            ("10.1.2.3:81", "http://10.1.2.3/1", false),
            ("2.3", "http://10.1.2.3/1", false),
            ("::1", "http://[::1]:9000/1", true),
            ("[::1]:9000", "http://[::1]:9000/1", true),
            ("fd00::/8", "http://[fd12::1]/1", true),
            ("fd00::/8", "http://[fe80::1]/1", false),
            ("10.0.0.0/8", "http://sentry.example/1", false),
            ("10.0.0.0/99,, .", "http://10.1.2.3/1", false),
            ("", "http://sentry.example/1", false),
        ] {
            let variables = [("ALL_PROXY", "http://proxy:1"), ("no_proxy", list)];
            assert_eq!(host(url, &variables).is_none(), excluded, "{list:?} {url}");
        }
    }
}
