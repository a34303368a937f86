//! The HTTP client of Sentry's envelope endpoint. Every step has a timeout.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use sentry::types::{Dsn, Scheme};
use ureq::Body;
use ureq::http::Response;
use ureq::tls::TlsConfig;

use crate::category::Category;
use crate::clock::Clock;
use crate::rate_limits::RateLimits;
use crate::undelivered::Undelivered;
use crate::{proxy, tls_roots};

/// Minimum size of envelopes that are compressed.
const MIN_COMPRESSED_BYTES: usize = 1024;

pub(crate) struct Endpoint {
    agent: ureq::Agent,
    url: String,
    auth: String,
    limits: RateLimits,
}

impl Endpoint {
    /// Creates a client with the proxy of the environment, and the system's certificate authorities and those of `ca_file`. Returns
    /// also what cannot be used of these.
    pub(crate) fn new(dsn: &Dsn, user_agent: &str, ca_file: Option<&Path>, clock: Clock) -> (Self, Vec<String>) {
        let proxy = proxy::from_env(dsn, |name| std::env::var(name).ok());
        let mut problems: Vec<_> = proxy
            .as_ref()
            .err()
            .map(|problem| format!("Sentry is reached without a proxy: {problem}"))
            .into_iter()
            .collect();
        let mut config = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(2)))
            .timeout_global(Some(Duration::from_secs(5)))
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(proxy.unwrap_or_default())
            .user_agent(user_agent);
        if dsn.scheme() == Scheme::Https {
            let roots = tls_roots::load(ca_file);
            let unusable = |problem| format!("not all certificate authorities for Sentry can be used: {problem}");
            problems.extend(roots.problems.into_iter().map(unusable));
            config = config.tls_config(TlsConfig::builder().root_certs(roots.certificates).build());
        }
        let endpoint = Self {
            agent: config.build().into(),
            url: dsn.envelope_api_url().to_string(),
            auth: dsn.to_auth(Some(user_agent)).to_string(),
            limits: RateLimits::new(clock),
        };
        (endpoint, problems)
    }

    /// The remaining time of Sentry's rate limit for a category.
    pub(crate) fn rate_limited_for(&self, category: Category) -> Option<Duration> {
        self.limits.remaining(category)
    }

    /// Sends an envelope and returns the answer.
    pub(crate) fn send(&self, envelope: &[u8]) -> Result<Response<Body>, ureq::Error> {
        let request = self.agent.post(&self.url).header("X-Sentry-Auth", &self.auth);
        let request = request.header("Content-Type", "application/x-sentry-envelope");
        match compressed(envelope) {
            Some(smaller) => request.header("Content-Encoding", "gzip").send(&smaller[..]),
            None => request.send(envelope),
        }
    }

    pub(crate) fn post(&mut self, envelope: &[u8]) -> Result<(), Undelivered> {
        let response = self.send(envelope).map_err(|error| Undelivered::Unavailable(error.to_string()))?;
        let status = response.status();
        self.limits.update(status, response.headers());
        let reason = format!("Sentry returned {status}");
        match status.as_u16() {
            200..=299 => Ok(()),
            429 => Err(Undelivered::Limited(reason)),
            408 | 500..=599 => Err(Undelivered::Unavailable(reason)),
            _ => Err(Undelivered::Refused(reason)),
        }
    }
}

fn compressed(envelope: &[u8]) -> Option<Vec<u8>> {
    if envelope.len() < MIN_COMPRESSED_BYTES {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(envelope.len() / 2), Compression::fast());
    encoder.write_all(envelope).ok()?;
    encoder.finish().ok()
}
