//! The HTTP client of Sentry's envelope endpoint. Every step has a timeout.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use sentry::transports::{RateLimiter, RateLimitingCategory};
use sentry::types::Dsn;

/// Minimum size of envelopes that are compressed.
const MIN_COMPRESSED_BYTES: usize = 1024;
/// Maximum duration of a rate limit that is respected.
const MAX_RATE_LIMIT: Duration = Duration::from_secs(3600);

/// Why an envelope was not delivered.
#[derive(Debug)]
pub(crate) enum SendError {
    /// A retry would fail in the same way.
    Permanent(String),
    /// A retry may succeed.
    Temporary(String),
}

pub(crate) struct Endpoint {
    agent: ureq::Agent,
    url: String,
    auth: String,
    limits: RateLimiter,
}

impl Endpoint {
    pub(crate) fn new(dsn: &Dsn, user_agent: &str) -> Self {
        // By default, ureq uses the proxy of the environment.
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(2)))
            .timeout_global(Some(Duration::from_secs(5)))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(user_agent)
            .build();
        Self {
            agent: config.into(),
            url: dsn.envelope_api_url().to_string(),
            auth: dsn.to_auth(Some(user_agent)).to_string(),
            limits: RateLimiter::new(),
        }
    }

    /// The remaining time of Sentry's rate limit for a category.
    pub(crate) fn rate_limited_for(&self, category: Category) -> Option<Duration> {
        let category = match category {
            Category::Event => RateLimitingCategory::Error,
            Category::Transaction => RateLimitingCategory::Transaction,
            Category::Other => RateLimitingCategory::Any,
        };
        self.limits.is_disabled(category).map(|wait| wait.min(MAX_RATE_LIMIT))
    }

    pub(crate) fn post(&mut self, envelope: &[u8]) -> Result<(), SendError> {
        let request = self.agent.post(&self.url).header("X-Sentry-Auth", &self.auth);
        let request = request.header("Content-Type", "application/x-sentry-envelope");
        let response = match compressed(envelope) {
            Some(smaller) => request.header("Content-Encoding", "gzip").send(&smaller[..]),
            None => request.send(envelope),
        };
        let response = response.map_err(|error| SendError::Temporary(error.to_string()))?;
        let status = response.status();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        match (header("x-sentry-rate-limits"), header("retry-after")) {
            (Some(limits), _) => self.limits.update_from_sentry_header(limits),
            (None, Some(wait)) if status != 200 => self.limits.update_from_retry_after(wait),
            _ if status == 429 => self.limits.update_from_429(),
            _ => {}
        }
        let reason = format!("Sentry returned {status}");
        match status.as_u16() {
            200..=299 => Ok(()),
            408 | 429 | 500..=599 => Err(SendError::Temporary(reason)),
            _ => Err(SendError::Permanent(reason)),
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

/// Envelope categories with separate rate limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Category {
    Event,
    Transaction,
    Other,
}

impl Category {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Transaction => "transaction",
            Self::Other => "other",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Event, Self::Transaction, Self::Other].into_iter().find(|category| category.as_str() == name)
    }
}
