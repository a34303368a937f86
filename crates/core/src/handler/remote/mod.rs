//! HTTP requests to another service on behalf of the current request, with its request id and trace headers.
//!
//! For a blueprint whose dependency runs in another process. All requests are GETs, so that they can be retried.

mod base_url;
mod client;
mod response;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use cyanotype_telemetry::{Breadcrumb, Level, add_breadcrumb, request};
use http_body_util::Empty;
use hyper::header::AUTHORIZATION;

pub use base_url::BaseUrl;
use client::{CLIENT, send};
pub use response::RemoteResponse;

/// Delay before the first retry; it doubles with each further retry.
const INITIAL_BACKOFF: Duration = Duration::from_millis(50);

/// A client of another service, with a timeout and retries.
#[derive(Debug, Clone)]
pub struct RemoteClient {
    base: BaseUrl,
    timeout: Duration,
    retries: u32,
}

impl RemoteClient {
    /// Creates a client. `timeout` limits each attempt, from the connection to the end of the body. An attempt without a
    /// response, or with status 502, 503 or 504, is repeated up to `retries` times.
    #[must_use]
    pub fn new(base: BaseUrl, timeout: Duration, retries: u32) -> Self {
        Self { base, timeout, retries }
    }

    /// Sends a GET request for a path with a bearer token. Returns any response that is not retried, including redirects and
    /// errors.
    ///
    /// # Errors
    /// If all attempts failed.
    pub async fn get(&self, path: &str, token: &str) -> Result<RemoteResponse, RemoteError> {
        let (mut backoff, mut retries_left) = (INITIAL_BACKOFF, self.retries);
        loop {
            let started = Instant::now();
            let outcome = self.try_once(path, token).await;
            self.record_attempt(path, started, &outcome);
            let reason = match outcome {
                Ok(response) if !is_retryable(response.status) => return Ok(response),
                Ok(response) => format!("status {}", response.status),
                Err(reason) => reason,
            };
            if retries_left == 0 {
                return Err(RemoteError { base: self.base.to_string(), reason: Reason(reason) });
            }
            tokio::time::sleep(backoff).await;
            (backoff, retries_left) = (backoff * 2, retries_left - 1);
        }
    }

    async fn try_once(&self, path: &str, token: &str) -> Result<RemoteResponse, String> {
        let url = format!("{}{path}", self.base);
        let mut builder = hyper::Request::get(url).header(AUTHORIZATION, format!("Bearer {token}"));
        for (name, value) in request::current().iter().flat_map(|request| request.outgoing_headers()) {
            builder = builder.header(name, value);
        }
        let request = builder.body(Empty::new()).map_err(|error| error.to_string())?;
        let response = send(CLIENT.with(Clone::clone), request);
        let timed_response = tokio::time::timeout(self.timeout, response).await;
        timed_response.unwrap_or_else(|_| Err(format!("timed out after {} ms", self.timeout.as_millis())))
    }

    fn record_attempt(&self, path: &str, started: Instant, outcome: &Result<RemoteResponse, String>) {
        let result = match outcome {
            Ok(response) => response.status.as_u16().to_string(),
            Err(reason) => reason.clone(),
        };
        let level = if outcome.as_ref().is_ok_and(|response| !is_retryable(response.status)) {
            Level::Info
        } else {
            Level::Warning
        };
        let crumb = Breadcrumb::new(format!("GET {}{path} {result}", self.base)).category("http").level(level);
        add_breadcrumb(crumb.data("duration_ms", started.elapsed().as_secs_f64() * 1000.0));
    }
}

/// Whether a retry may succeed.
fn is_retryable(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// A request to another service failed; the source states why the last attempt failed.
#[derive(Debug, thiserror::Error)]
#[error("request to {base} failed")]
pub struct RemoteError {
    base: String,
    #[source]
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Reason(String);
