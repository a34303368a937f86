//! The record of a response. It borrows what it tells, for it is written at once: every request has one.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use cyanotype_redact::Content;
use jiff::Timestamp;

use super::Level;
use crate::request::RequestContext;

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Complete,
    /// The client left before the end.
    Aborted,
    /// The body's stream failed.
    Error,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        ["complete", "aborted", "error"][self as usize]
    }
}

#[derive(Debug)]
pub(crate) struct ResponseRecord<'a> {
    pub at: Timestamp,
    pub level: Level,
    pub request: &'a RequestContext,
    pub method: Cow<'a, str>,
    pub path: Cow<'a, str>,
    pub query: Option<String>,
    /// `None` when the handler never answered.
    pub status: Option<u16>,
    pub duration: Duration,
    pub outcome: Outcome,
    pub response: BodyDetail<'a>,
    /// `None` when it is not asked for, or there is no body.
    pub asked: Option<BodyDetail<'a>>,
    pub client_address: Option<IpAddr>,
    pub user_agent: Option<Cow<'a, str>>,
}

impl ResponseRecord<'_> {
    /// Where it comes from, as other records name the module that spoke.
    pub const TARGET: &'static str = "cyanotype::response_log";

    /// The record in a few words: `GET /orders/1 200`.
    pub fn message(&self) -> String {
        match self.status {
            Some(status) => format!("{} {} {status}", self.method, self.path),
            None => format!("{} {} {}", self.method, self.path, self.outcome.as_str()),
        }
    }
}

/// What is told of a body.
#[derive(Debug)]
pub(crate) struct BodyDetail<'a> {
    pub content_type: Option<Cow<'a, str>>,
    /// How it is compressed, when that was not done by a layer outside.
    pub coding: Option<Cow<'a, str>>,
    /// Bytes of it that were passed on.
    pub size: u64,
    pub content: Option<Content<'a>>,
}
