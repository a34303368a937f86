//! The API server.

use std::time::Duration;

use actix_web::http::Uri;
use cyanotype_settings::section;
use serde::Deserialize;

use super::listen_host::{ListenHost, check_host};
use super::{ClientAddressSettings, CorsSettings};

section! {
    /// The API server.
    pub struct ServerSettings {
        /// listen address of the API
        #[setting(Text, default = "127.0.0.1", check = check_host)]
        pub host: ListenHost,
        /// listen port of the API; 0 selects a free port
        #[setting(Integer(0, 65535), default = 8080, env = "PORT")]
        pub port: u16,
        /// number of worker threads; one per CPU core when unset
        #[setting(Integer(1, 512))]
        pub workers: Option<usize>,
        /// time in seconds for which the service still accepts and answers requests after the stop signal, while /health/ready is
        /// 503, so that load balancers stop sending requests before connections are refused; longer than their checks take
        #[setting(Integer(0, 3600), default = 0)]
        drain_s: u64,
        /// maximum time in seconds from the stop signal, or the end of server.drain_s, to the exit, including requests in flight
        /// and the flush of both sinks
        #[setting(Integer(1, 3600), default = 8)]
        shutdown_timeout_s: u64,
        /// Trusted proxies, and the header in which they send the client's address.
        #[serde(flatten)]
        #[setting(section)]
        pub client_address: ClientAddressSettings,
        /// maximum request body size in bytes; larger requests get 413
        #[setting(Integer(1, u64::MAX), default = 1048576)]
        pub max_body_bytes: usize,
        /// handling of `/orders/` where only `/orders` is a route: strict responds 404, redirect responds 308, equal serves
        /// `/orders`
        #[setting(one_of::<TrailingSlash>(), default = "strict")]
        pub trailing_slash: TrailingSlash,
        /// maximum time in seconds for a client to send the request head, and again for the body; slower requests get 408
        #[setting(Integer(1, 3600), default = 10)]
        request_timeout_s: u64,
        /// maximum time in seconds until a handler starts its response, including the time to read the request body; a slower
        /// handler is cancelled and the client gets 503, which is reported as a failure; 0 disables the limit
        #[setting(Integer(0, 86400), default = 30)]
        handler_timeout_s: u64,
        /// whether responses are compressed with a coding that the client accepts (brotli, gzip, deflate, zstd); turn it off when a
        /// proxy in front compresses
        #[setting(Bool, default = true)]
        pub compression: bool,
        /// whether every response has default security headers: browsers must not guess its content type, embed it in a frame,
        /// load resources from it, send a referrer or cache it; a header set by the handler takes precedence
        #[setting(Bool, default = true)]
        pub security_headers: bool,
        /// time in seconds for which browsers must use HTTPS for this host (`strict-transport-security`); 0 omits the header;
        /// requires server.security_headers
        #[setting(Integer(0, u64::MAX), default = 0)]
        pub hsts_max_age_s: u64,
        /// Access from pages of other origins.
        #[setting(section)]
        pub cors: CorsSettings,
        /// Request limit per client.
        #[setting(section)]
        pub rate_limit: RateLimitSettings,
        /// whether the OpenAPI document is served at /openapi.json, and Swagger UI at /docs
        #[setting(Bool, default = true)]
        pub docs: bool,
        /// URL at which clients reach the API (https://api.shop.example); it is the server in the OpenAPI document; when unset,
        /// clients use the address that the document was loaded from
        #[setting(Text, check = check_base_url)]
        pub public_url: Option<String>,
    }
}

impl ServerSettings {
    /// Time from the stop signal to the end of accepting connections.
    #[must_use]
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_s)
    }

    /// Maximum time from the stop signal, or the end of the [drain](Self::drain), to the end of the process.
    #[must_use]
    pub fn shutdown_timeout(&self) -> Duration {
        Duration::from_secs(self.shutdown_timeout_s)
    }

    /// Maximum time for a client to send the request head, and again for the body.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_s)
    }

    /// Maximum time until a handler starts its response; zero for no limit.
    #[must_use]
    pub fn handler_timeout(&self) -> Duration {
        Duration::from_secs(self.handler_timeout_s)
    }
}

section! {
    /// Request limit per client.
    pub struct RateLimitSettings {
        /// maximum average number of requests per client in server.rate_limit.window_s; further requests get 429; a client is
        /// an IPv4 address or an IPv6 /64; each process counts separately; 0 disables the limit
        #[setting(Integer(0, 1_000_000), default = 0)]
        pub requests: u32,
        /// length in seconds of the window of server.rate_limit.requests
        #[setting(Integer(1, 86400), default = 60)]
        window_s: u64,
        /// maximum number of requests that a client may send at once; server.rate_limit.requests when unset
        #[setting(Integer(1, 100_000))]
        pub burst: Option<u32>,
    }
}

impl RateLimitSettings {
    /// The window in which `requests` are allowed.
    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.window_s)
    }
}

/// Handling of a path that ends with a slash, where the route has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrailingSlash {
    /// Responds 404.
    Strict,
    /// Responds 308, with the location of the route.
    Redirect,
    /// Serves the route, as if the path had no slash at its end. The setting has the value `equal`.
    #[serde(rename = "equal")]
    Ignore,
}

fn check_base_url(url: &str) -> Result<(), String> {
    let is_base = url.parse().is_ok_and(|url: Uri| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.query().is_none() && url.host().is_some()
    });
    if is_base { Ok(()) } else { Err("not a base URL; expected https://HOST or https://HOST/PATH".into()) }
}
