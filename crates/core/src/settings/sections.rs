//! The settings as the service uses them, a type for each section.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

pub use cyanotype_redact::Patterns;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::record::Level;

/// Where the service runs: it changes stack traces, the log's format and what an error answer reveals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Env {
    Dev,
    Prod,
}

impl Env {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        ["dev", "prod"][self as usize]
    }
}

/// Which sinks there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Plan 0: nothing is written anywhere.
    Off,
    Stderr,
    /// Plan 1.
    Sentry,
    /// Plan 2.
    Both,
}

impl Mode {
    pub const ALL: [Mode; 4] = [Mode::Off, Mode::Stderr, Mode::Sentry, Mode::Both];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        ["off", "stderr", "sentry", "both"][self as usize]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON in prod, pretty in dev.
    Auto,
    /// One record is one line of JSON.
    Json,
    /// Made for eyes.
    Pretty,
}

/// How much is recorded of a response, or of a request's body; each says more than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseLog {
    /// Nothing.
    Off,
    /// Everything but the content.
    Metadata,
    /// The redacted content too.
    #[serde(rename(deserialize = "redacted"))]
    Body,
}

impl ResponseLog {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        ["off", "metadata", "body"][self as usize]
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub workers: Option<usize>,
    shutdown_timeout_s: u64,
    #[serde(default)]
    pub trusted_proxies: Vec<Network>,
    pub client_address_header: ClientAddressHeader,
    pub max_body_bytes: usize,
    pub trailing_slash: TrailingSlash,
    pub docs: bool,
    /// Where clients reach the API.
    pub public_url: Option<String>,
    request_timeout_s: u64,
    handler_timeout_s: u64,
    pub compression: bool,
    pub security_headers: bool,
    pub hsts_max_age_s: u64,
    pub cors: Cors,
    pub rate_limit: RateLimit,
}

impl Server {
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

/// Which pages of other origins may call the API.
#[derive(Debug, Clone, Deserialize)]
pub struct Cors {
    /// `*` alone, or each of them; none when empty.
    #[serde(default)]
    pub origins: Vec<String>,
    pub max_age_s: u64,
    pub credentials: bool,
}

/// How much a client may ask for.
#[derive(Debug, Clone, Deserialize)]
pub struct RateLimit {
    /// 0 when there is no limit.
    pub requests: u32,
    window_s: u64,
    /// As many as `requests` when `None`.
    pub burst: Option<u32>,
}

impl RateLimit {
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

/// The header in which trusted proxies say who their client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAddressHeader {
    #[default]
    XForwardedFor,
    /// RFC 7239's.
    Forwarded,
    XRealIp,
    /// The peer is the client, whatever it says.
    None,
}

/// An address or a network, as `10.0.0.1` or `10.0.0.0/8`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

impl Network {
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        network.map(Self).ok_or_else(|| format!("`{text}` is neither an address nor a network such as 10.0.0.0/8"))
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Management {
    pub host: String,
    pub port: u16,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Log {
    pub mode: Mode,
    pub level: Level,
    format: Format,
    #[serde(default)]
    pub levels: BTreeMap<String, Level>,
    pub response: Response,
    pub request: Request,
    pub redact: Patterns,
    pub flood: Flood,
    pub stderr: Stderr,
}

impl Log {
    /// Whether records are JSON; `auto` is decided by the environment.
    #[must_use]
    pub fn is_json(&self, env: Env) -> bool {
        match self.format {
            Format::Auto => env == Env::Prod,
            Format::Json => true,
            Format::Pretty => false,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Response {
    pub body: ResponseLog,
    pub max_bytes: usize,
    pub body_from_status: u16,
    pub sample_rate: f64,
    #[serde(default)]
    pub redact: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    pub body: ResponseLog,
    pub max_bytes: usize,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Flood {
    pub limit: u64,
    window_s: u64,
}

impl Flood {
    /// The time in which no more than `limit` reports of one failure are told.
    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.window_s)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Stderr {
    pub queue_bytes: usize,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Sentry {
    pub dsn: Option<String>,
    pub environment: Option<String>,
    pub release: Option<String>,
    pub breadcrumb_level: Level,
    pub event_level: Level,
    pub max_breadcrumbs: usize,
    pub sample_rate: f64,
    pub traces_sample_rate: f32,
    pub spool_dir: Option<String>,
    pub spool_max_bytes: u64,
    spool_max_age_s: u64,
}

impl Sentry {
    /// Whether requests are sent as transactions, some of them.
    #[must_use]
    pub fn has_transactions(&self) -> bool {
        self.traces_sample_rate > 0.0
    }

    /// How long an event may wait in the spool.
    #[must_use]
    pub fn spool_max_age(&self) -> Duration {
        Duration::from_secs(self.spool_max_age_s)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Database {
    pub url: String,
    pub max_connections: u32,
    pub min_connections: u32,
    acquire_timeout_s: u64,
    idle_timeout_s: u64,
    sweep_interval_s: u64,
    statement_timeout_s: u64,
}

impl Database {
    /// How long a request waits for a connection, and a start for the first one.
    #[must_use]
    pub fn acquire_timeout(&self) -> Duration {
        Duration::from_secs(self.acquire_timeout_s)
    }

    /// How long PostgreSQL has to answer a statement; any time when `None`.
    #[must_use]
    pub fn statement_timeout(&self) -> Option<Duration> {
        (self.statement_timeout_s > 0).then(|| Duration::from_secs(self.statement_timeout_s))
    }

    /// How often rows whose time is over are deleted.
    #[must_use]
    pub fn sweep_interval(&self) -> Duration {
        Duration::from_secs(self.sweep_interval_s)
    }

    /// How long a connection that nobody uses is kept; for ever when `None`.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        (self.idle_timeout_s > 0).then(|| Duration::from_secs(self.idle_timeout_s))
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Blueprints {
    /// The blueprints that this process serves; all when `None`.
    pub enabled: Option<Vec<String>>,
}
