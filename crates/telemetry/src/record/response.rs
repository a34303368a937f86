//! The record of a response. Every request has one, so it borrows its values, and is written immediately.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use cyanotype_redact::Content;

use crate::identity::RequestIdentity;
use crate::level::Level;
use crate::outcome::Outcome;

/// The record of a response, redacted, as a [`RecordSink`](crate::RecordSink) writes it.
#[derive(Debug)]
pub struct ResponseRecord<'a> {
    /// When the response ended.
    pub at: Timestamp,
    /// The severity, which depends on the status and the outcome.
    pub level: Level,
    /// The request.
    pub request: &'a RequestIdentity,
    /// The method.
    pub method: Cow<'a, str>,
    /// The path, without the query.
    pub path: Cow<'a, str>,
    /// The query.
    pub query: Option<String>,
    /// The status; `None` when the handler did not respond.
    pub status: Option<u16>,
    /// From the start of the request to the end of the response.
    pub duration: Duration,
    /// How the response ended.
    pub outcome: Outcome,
    /// The response's body.
    pub response: BodyDetail<'a>,
    /// The request's body; `None` when it is not recorded, or there is none.
    pub request_body: Option<BodyDetail<'a>>,
    /// The address of the client.
    pub client_address: Option<IpAddr>,
    /// Replaces the address, if `log.redact.pseudonymize` lists `client.address`.
    pub client_pseudonym: Option<String>,
    /// The `user-agent` header.
    pub user_agent: Option<Cow<'a, str>>,
}

impl ResponseRecord<'_> {
    /// The `target` of every response record.
    pub const TARGET: &'static str = "cyanotype::response_log";

    /// A summary: `GET /orders/1 200`.
    #[must_use]
    pub fn message(&self) -> String {
        match self.status {
            Some(status) => format!("{} {} {status}", self.method, self.path),
            None => format!("{} {} {}", self.method, self.path, self.outcome.as_str()),
        }
    }
}

/// A body in a record.
#[derive(Debug)]
pub struct BodyDetail<'a> {
    /// The `content-type` header.
    pub content_type: Option<Cow<'a, str>>,
    /// The `content-encoding` header, unless the service's own compression set it.
    pub coding: Option<Cow<'a, str>>,
    /// The number of bytes passed on.
    pub size: u64,
    /// The redacted content, where it is recorded.
    pub content: Option<Content<'a>>,
}
