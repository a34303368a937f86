//! The record of a response. Every request has one, so it borrows its values, and is written immediately.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use cyanotype_redact::Content;

use super::EventScope;
use crate::identity::RequestIdentity;
use crate::level::Level;
use crate::outcome::Outcome;
use crate::settings::ClientTextLimits;

/// The record of a response, redacted, as a [`RecordSink`](crate::RecordSink) writes it.
#[derive(Debug)]
pub struct ResponseRecord<'a> {
    /// When the response ended.
    pub at: Timestamp,
    /// The severity, which depends on the status and the outcome.
    pub level: Level,
    /// The request.
    pub request: Arc<RequestIdentity>,
    /// The tags and the user that code has set.
    pub scope: Option<Arc<EventScope>>,
    /// The method.
    pub method: Cow<'a, str>,
    /// The path, without the query.
    pub path: Cow<'a, str>,
    /// The query.
    pub query: Option<Cow<'a, str>>,
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
    /// The keys of texts that were cut because the client chose them too long.
    pub truncated: Vec<&'static str>,
}

impl ResponseRecord<'_> {
    /// The `target` of every response record.
    pub const TARGET: &'static str = "cyanotype::response_log";

    /// A copy that borrows nothing.
    pub(crate) fn to_static(&self) -> ResponseRecord<'static> {
        ResponseRecord {
            request: Arc::clone(&self.request),
            scope: self.scope.clone(),
            method: owned(&self.method),
            path: owned(&self.path),
            query: self.query.as_deref().map(owned),
            response: self.response.to_static(),
            request_body: self.request_body.as_ref().map(BodyDetail::to_static),
            user_agent: self.user_agent.as_deref().map(owned),
            at: self.at,
            level: self.level,
            status: self.status,
            duration: self.duration,
            outcome: self.outcome,
            client_address: self.client_address,
            client_pseudonym: self.client_pseudonym.clone(),
            truncated: self.truncated.clone(),
        }
    }

    /// A summary: `GET /orders/1 200`.
    #[must_use]
    pub fn message(&self) -> String {
        match self.status {
            Some(status) => format!("{} {} {status}", self.method, self.path),
            None => format!("{} {} {}", self.method, self.path, self.outcome.as_str()),
        }
    }

    /// Cuts the texts that a client may have chosen, and lists their keys. They must be redacted, so that a cut does not leave a
    /// part of a secret that the redactor no longer recognizes.
    pub fn cut_client_texts(&mut self, limits: ClientTextLimits) {
        let truncated = &mut self.truncated;
        let mut cut = |key, text: Option<&mut Cow<'_, str>>, max: usize| {
            if let Some(text) = text.filter(|text| text.len() > max) {
                truncate(text, max);
                truncated.push(key);
            }
        };
        cut("http.request.method", Some(&mut self.method), limits.header);
        cut("url.path", Some(&mut self.path), limits.path);
        cut("url.query", self.query.as_mut(), limits.path);
        cut("user_agent.original", self.user_agent.as_mut(), limits.header);
        cut("http.response.header.content-type", self.response.content_type.as_mut(), limits.header);
        cut("http.response.header.content-encoding", self.response.coding.as_mut(), limits.header);
        if let Some(body) = &mut self.request_body {
            cut("http.request.header.content-type", body.content_type.as_mut(), limits.header);
            cut("http.request.header.content-encoding", body.coding.as_mut(), limits.header);
        }
    }
}

/// Cuts a text on a character boundary.
fn truncate(text: &mut Cow<'_, str>, max: usize) {
    let end = text.floor_char_boundary(max);
    match text {
        Cow::Borrowed(text) => *text = &text[..end],
        Cow::Owned(text) => text.truncate(end),
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

impl BodyDetail<'_> {
    fn to_static(&self) -> BodyDetail<'static> {
        let content = self.content.as_ref();
        BodyDetail {
            content_type: self.content_type.as_deref().map(owned),
            coding: self.coding.as_deref().map(owned),
            size: self.size,
            content: content.map(|content| Content { text: owned(&content.text), truncated: content.truncated }),
        }
    }
}

fn owned(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.to_owned())
}
