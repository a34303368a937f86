//! The settings of this crate: the telemetry settings, and the trusted proxies.

use std::net::IpAddr;

use cyanotype_settings::section;
use cyanotype_telemetry::request::ClientAddressHeader;
use cyanotype_telemetry::settings::{Env, LogSettings, SentrySettings};
use ipnet::IpNet;
use serde::Deserialize;

section! {
    /// The settings of this crate.
    pub struct Settings {
        /// The environment of the service.
        #[setting(section)]
        pub env: Env,
        /// What is recorded, and in which form.
        #[setting(section)]
        pub log: LogSettings,
        /// The Sentry sink.
        #[setting(section)]
        pub sentry: SentrySettings,
        /// Trusted proxies, and the header in which they send the client's address.
        #[setting(section)]
        pub server: ClientAddressSettings,
    }
}

impl Settings {
    /// The settings of the sinks.
    #[must_use]
    pub fn telemetry(&self) -> cyanotype_telemetry::Settings {
        let Self { env, log, sentry, .. } = self;
        cyanotype_telemetry::Settings { env: *env, log: log.clone(), sentry: sentry.clone() }
    }
}

section! {
    /// Trusted proxies, and the header in which they send the client's address.
    pub struct ClientAddressSettings {
        /// IP addresses or networks (10.0.0.0/8) of trusted proxies; server.client_address_header is read from these peers only
        #[serde(default)]
        #[setting(List, check = Network::check)]
        pub trusted_proxies: Vec<Network>,
        /// header in which server.trusted_proxies send the client's address; it is read from right to left, up to the first
        /// address that is not a trusted proxy; choose the header that the proxy itself sets, because proxies forward all
        /// others unchanged; without trusted proxies all clients behind a proxy share its address, for rate limits and for
        /// login throttling
        #[setting(one_of::<ClientAddressHeader>(), default = "x-forwarded-for")]
        pub client_address_header: ClientAddressHeader,
    }
}

/// An IP address or network, such as `10.0.0.1` or `10.0.0.0/8`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

impl Network {
    /// Whether the network contains the address; an IPv4-mapped IPv6 address counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    fn check(text: &str) -> Result<(), String> {
        Self::try_from(text.to_owned()).map(drop)
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        network.map(Self).ok_or_else(|| format!("`{text}` is neither an address nor a network such as 10.0.0.0/8"))
    }
}
