//! The API's own server.

use std::time::Duration;

use actix_web::http::Uri;
use cyanotype_settings::section;
use serde::Deserialize;

use super::{ClientAddressSettings, CorsSettings};

section! {
    /// The API's own server.
    pub struct ServerSettings {
        /// the address the API listens on
        #[setting(Text, default = "127.0.0.1", check = check_host)]
        pub host: String,
        /// the port the API listens on; 0 takes a free one
        #[setting(Whole(0, 65535), default = 8080, env = "PORT")]
        pub port: u16,
        /// worker threads; one per core when not set
        #[setting(Whole(1, 1024))]
        pub workers: Option<usize>,
        /// seconds from SIGTERM to the end, requests in hand and both sinks included
        #[setting(Whole(1, 3600), default = 8)]
        shutdown_timeout_s: u64,
        /// The proxies in front, and where they state their client's address.
        #[serde(flatten)]
        #[setting(section)]
        pub client_address: ClientAddressSettings,
        /// the largest request body that is read, in bytes; more is answered 413
        #[setting(Whole(1, u64::MAX), default = 1048576)]
        pub max_body_bytes: usize,
        /// what `/orders/` is where there is only `/orders`: strict answers 404, redirect 308, equal as for `/orders`
        #[setting(one_of::<TrailingSlash>(), default = "strict")]
        pub trailing_slash: TrailingSlash,
        /// seconds a client has to send its request's head, and again its body; later is answered 408
        #[setting(Whole(1, 3600), default = 10)]
        request_timeout_s: u64,
        /// seconds a handler has to begin its answer, what it reads of the request's body included; then it is ended and
        /// answered 503, a failure like others; 0 lets it take any time
        #[setting(Whole(0, 86400), default = 30)]
        handler_timeout_s: u64,
        /// whether answers are compressed as their clients accept it (brotli, gzip, zstd); off where a proxy in front does
        /// it
        #[setting(Switch, default = true)]
        pub compression: bool,
        /// whether every answer forbids browsers to guess its type, frame it, load anything by it, tell where they came
        /// from and store it; a handler's own header wins
        #[setting(Switch, default = true)]
        pub security_headers: bool,
        /// seconds for which browsers shall ask for this host by HTTPS alone (`strict-transport-security`); 0 says nothing
        /// of it; needs server.security_headers
        #[setting(Whole(0, u64::MAX), default = 0)]
        pub hsts_max_age_s: u64,
        /// Which pages of other origins may call the API.
        #[setting(section)]
        pub cors: CorsSettings,
        /// How much a client may ask for.
        #[setting(section)]
        pub rate_limit: RateLimitSettings,
        /// whether the API document is served at /openapi.json, and as pages at /docs
        #[setting(Switch, default = true)]
        pub docs: bool,
        /// the URL at which clients reach the API (https://api.shop.example), the server in the API document; without it
        /// clients use the address that the document came from
        #[setting(Text, check = check_base_url)]
        pub public_url: Option<String>,
    }
}

impl ServerSettings {
    /// From SIGTERM to the end of the process.
    #[must_use]
    pub fn shutdown_timeout(&self) -> Duration {
        Duration::from_secs(self.shutdown_timeout_s)
    }

    /// What a client has to send its request's head, and again its body.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_s)
    }

    /// What a handler has to answer; zero when it may take any time.
    #[must_use]
    pub fn handler_timeout(&self) -> Duration {
        Duration::from_secs(self.handler_timeout_s)
    }
}

section! {
    /// How much a client may ask for.
    pub struct RateLimitSettings {
        /// requests that one client may make in server.rate_limit.window_s, in the long run; one more is answered 429; a
        /// client is an address, of IPv6 a /64; each process counts its own; 0 is no limit
        #[setting(Whole(0, 1_000_000), default = 0)]
        pub requests: u32,
        /// seconds that server.rate_limit.requests is for
        #[setting(Whole(1, 86400), default = 60)]
        window_s: u64,
        /// requests that a client may make at once; as many as server.rate_limit.requests when not set
        #[setting(Whole(1, 100_000))]
        pub burst: Option<u32>,
    }
}

impl RateLimitSettings {
    /// The time that `requests` are for.
    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.window_s)
    }
}

/// What a path with a slash at its end is, where a route has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrailingSlash {
    /// 404.
    Strict,
    /// 308 to the route.
    Redirect,
    /// Served as the route.
    Equal,
}

/// What a listener can be bound to, as far as its text shows.
pub(super) fn check_host(host: &str) -> Result<(), String> {
    if host.contains(['/', ' ']) {
        return Err(format!("`{host}` is no address; allowed is an address or a host name"));
    }
    Ok(())
}

fn check_base_url(url: &str) -> Result<(), String> {
    let is_base = url.parse().is_ok_and(|url: Uri| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.query().is_none() && url.host().is_some()
    });
    if is_base { Ok(()) } else { Err("this is not a base URL; allowed is https://HOST or https://HOST/PATH".into()) }
}
