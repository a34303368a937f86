//! The settings of this crate: those of telemetry, and the two that a client's address depends on.

use std::net::IpAddr;

use cyanotype_settings::section;
use cyanotype_telemetry::request::ClientAddressHeader;
use cyanotype_telemetry::settings::{Env, LogSettings, SentrySettings};
use ipnet::IpNet;
use serde::Deserialize;

section! {
    /// The settings of this crate.
    pub struct Settings {
        /// where the service runs
        #[setting(section)]
        pub env: Env,
        /// what is recorded, and how
        #[setting(section)]
        pub log: LogSettings,
        /// Sentry
        #[setting(section)]
        pub sentry: SentrySettings,
        /// the proxies in front
        #[setting(section)]
        pub server: ClientAddressSettings,
    }
}

impl Settings {
    /// The part that sinks are started with.
    #[must_use]
    pub fn telemetry(&self) -> cyanotype_telemetry::Settings {
        let Self { env, log, sentry, .. } = self;
        cyanotype_telemetry::Settings { env: *env, log: log.clone(), sentry: sentry.clone() }
    }
}

section! {
    /// The proxies in front, and where they state their client's address.
    pub struct ClientAddressSettings {
        /// addresses or networks (10.0.0.0/8) of the proxies in front, whose server.client_address_header is believed
        #[serde(default)]
        #[setting(List, check = Network::check)]
        pub trusted_proxies: Vec<Network>,
        /// the one header in which server.trusted_proxies send the client's address; read from right to left up to the
        /// first address that is not a trusted proxy; name the header that the proxy itself sets, because proxies forward
        /// all others unchanged; without trusted proxies all clients behind one share its address, for limits and for
        /// logins alike
        #[setting(one_of::<ClientAddressHeader>(), default = "x-forwarded-for")]
        pub client_address_header: ClientAddressHeader,
    }
}

/// An address or a network, as `10.0.0.1` or `10.0.0.0/8`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

impl Network {
    /// Whether the address is one of it; an IPv4 address may be written as one of IPv6.
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
