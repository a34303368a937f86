//! Records as lines of JSON.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use cyanotype_redact::escape::{json_object, json_string, json_text, json_value};

use super::timestamp::write_timestamp;
use crate::identity::RequestIdentity;
use crate::level::Level;
use crate::policy::Kind;
use crate::record::{BodyDetail, Detail, EventScope, FailureDetail, Record, ResponseRecord};
use crate::stack;

/// A static key, which needs no escaping, with the comma before it and the colon after it. It cannot be the first key.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

/// Appends the line of a record, including the line feed.
pub(crate) fn line(record: &Record, out: &mut Vec<u8>) {
    let mut line = Line { out };
    line.begin(record.at, record.level, record.kind);
    line.text(key!("message"), &record.message);
    line.text(key!("target"), &record.target);
    if let Some(spans) = &record.spans {
        line.text(key!("span"), &spans.names);
        if !spans.fields.is_empty() {
            line.object(key!("span_fields"), &spans.fields);
        }
    }
    if let Some(request) = &record.request {
        line.request(request);
    }
    line.scope(record.scope.as_deref());
    if record.retroactive {
        line.raw(key!("retroactive"));
        line.raw("true");
    }
    if let Some(failure) = &record.failure {
        line.failure(failure);
    }
    if let Some(id) = record.event_id {
        line.text(key!("sentry.event_id"), &id.to_string());
    }
    match &record.detail {
        Detail::None => {}
        Detail::Fields(fields) if fields.is_empty() => {}
        Detail::Fields(fields) => line.object(key!("fields"), fields),
        Detail::Data(data) if data.is_empty() => {}
        Detail::Data(data) => line.object(key!("data"), data),
        Detail::Service(fields) => {
            for (key, value) in fields {
                out.push(b',');
                json_string(key, out);
                out.push(b':');
                json_value(value, out);
            }
        }
    }
    out.extend_from_slice(b"}\n");
}

/// Appends the line of a response record.
pub(crate) fn response(response: &ResponseRecord<'_>, out: &mut Vec<u8>) {
    let mut line = Line { out };
    line.begin(response.at, response.level, Kind::Response);
    line.message(response);
    line.word(key!("target"), ResponseRecord::TARGET);
    line.request(&response.request);
    line.scope(response.scope.as_deref());
    line.text(key!("http.request.method"), &response.method);
    line.optional(key!("http.route"), response.request.route());
    line.text(key!("url.path"), &response.path);
    line.optional(key!("url.query"), response.query.as_deref());
    if let Some(status) = response.status {
        line.number(key!("http.response.status_code"), status);
    }
    line.milliseconds(key!("duration_ms"), response.duration);
    line.body(&RESPONSE_KEYS, &response.response);
    if let Some(body) = &response.request_body {
        line.body(&REQUEST_KEYS, body);
    }
    line.word(key!("outcome"), response.outcome.as_str());
    if response.client_pseudonym.is_some() {
        line.optional(key!("client.address"), response.client_pseudonym.as_deref());
    } else if let Some(address) = response.client_address {
        line.address(key!("client.address"), address);
    }
    line.optional(key!("user_agent.original"), response.user_agent.as_deref());
    line.list(key!("truncated"), &response.truncated);
    out.extend_from_slice(b"}\n");
}

/// The keys of a body, made with [`key!`].
struct BodyKeys {
    content_type: &'static str,
    coding: &'static str,
    size: &'static str,
    content: &'static str,
    truncated: &'static str,
}

const RESPONSE_KEYS: BodyKeys = BodyKeys {
    content_type: key!("http.response.header.content-type"),
    coding: key!("http.response.header.content-encoding"),
    size: key!("http.response.body.size"),
    content: key!("http.response.body.content"),
    truncated: key!("http.response.body.truncated"),
};

const REQUEST_KEYS: BodyKeys = BodyKeys {
    content_type: key!("http.request.header.content-type"),
    coding: key!("http.request.header.content-encoding"),
    size: key!("http.request.body.size"),
    content: key!("http.request.body.content"),
    truncated: key!("http.request.body.truncated"),
};

/// Writes key-value pairs. The `key` parameters must be made with [`key!`].
struct Line<'a> {
    out: &'a mut Vec<u8>,
}

impl Line<'_> {
    fn begin(&mut self, at: Timestamp, level: Level, kind: Kind) {
        self.raw(r#"{"timestamp":""#);
        write_timestamp(at, self.out);
        self.raw("\"");
        self.word(key!("level"), level.as_str());
        self.word(key!("kind"), kind.as_str());
    }

    fn request(&mut self, request: &RequestIdentity) {
        self.word(key!("request_id"), request.id());
        self.word(key!("trace_id"), request.trace_id().encode_lower(&mut [0; 32]));
        match request.blueprint() {
            Some(name) => self.text(key!("blueprint"), name),
            // The key is present even for a request that was not routed to a blueprint.
            None => {
                self.raw(key!("blueprint"));
                self.raw("null");
            }
        }
        if request.debug_level().is_some() {
            self.raw(key!("debug"));
            self.raw("true");
        }
    }

    fn scope(&mut self, scope: Option<&EventScope>) {
        let Some(EventScope { tags, user, .. }) = scope else { return };
        for (key, map) in [(key!("tags"), tags), (key!("user"), user)] {
            if !map.is_empty() {
                self.object(key, map);
            }
        }
    }

    /// Writes [`ResponseRecord::message`] without allocating it.
    fn message(&mut self, response: &ResponseRecord<'_>) {
        self.raw(key!("message"));
        self.raw("\"");
        json_text(&response.method, self.out);
        self.raw(" ");
        json_text(&response.path, self.out);
        self.raw(" ");
        match response.status {
            Some(status) => self.raw(itoa::Buffer::new().format(status)),
            None => self.raw(response.outcome.as_str()),
        }
        self.raw("\"");
    }

    fn failure(&mut self, detail: &FailureDetail) {
        let first = detail.failure.first();
        self.text(key!("exception.type"), &first.type_name);
        self.text(key!("exception.message"), &first.message);
        self.raw(key!("exception.chain"));
        for (at, link) in detail.failure.chain.iter().enumerate() {
            self.out.push(if at == 0 { b'[' } else { b',' });
            json_string(&link.message, self.out);
        }
        self.out.push(b']');
        if let Some(site) = &detail.failure.panic_site {
            self.text(key!("exception.location"), &site.location);
            self.optional(key!("thread"), site.thread.as_deref());
        }
        if let (true, Some(trace)) = (detail.with_stack, &detail.failure.stack) {
            self.text(key!("exception.stacktrace"), &stack::text(trace.frames()));
        }
    }

    fn body(&mut self, keys: &BodyKeys, body: &BodyDetail<'_>) {
        self.header(keys.content_type, body.content_type.as_deref());
        self.header(keys.coding, body.coding.as_deref());
        self.number(keys.size, body.size);
        if let Some(content) = &body.content {
            self.text(keys.content, &content.text);
            self.raw(keys.truncated);
            self.raw(if content.truncated { "true" } else { "false" });
        }
    }

    /// Writes a header as a list, as OpenTelemetry's semantic conventions require.
    fn header(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.raw(key);
            self.out.push(b'[');
            json_string(value, self.out);
            self.out.push(b']');
        }
    }

    /// Appends text that is already JSON.
    fn raw(&mut self, json: &str) {
        self.out.extend_from_slice(json.as_bytes());
    }

    fn text(&mut self, key: &str, text: &str) {
        self.raw(key);
        json_string(text, self.out);
    }

    /// Writes a string that needs no escaping: a constant or an id.
    fn word(&mut self, key: &str, word: &str) {
        self.raw(key);
        self.raw("\"");
        self.raw(word);
        self.raw("\"");
    }

    fn optional(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    /// Writes a list of constants, unless it is empty.
    fn list(&mut self, key: &str, words: &[&str]) {
        for (at, word) in words.iter().enumerate() {
            self.raw(if at == 0 { key } else { "," });
            self.raw(if at == 0 { "[\"" } else { "\"" });
            self.raw(word);
            self.raw("\"");
        }
        self.raw(if words.is_empty() { "" } else { "]" });
    }

    fn number(&mut self, key: &str, number: impl itoa::Integer) {
        self.raw(key);
        self.raw(itoa::Buffer::new().format(number));
    }

    /// Writes milliseconds with three decimals.
    fn milliseconds(&mut self, key: &str, time: Duration) {
        let micros = time.as_micros();
        self.number(key, micros / 1000);
        let decimals = 1000 + (micros % 1000) as u16;
        self.out.push(b'.');
        self.raw(&itoa::Buffer::new().format(decimals)[1..]);
    }

    fn address(&mut self, key: &str, address: IpAddr) {
        self.raw(key);
        self.out.push(b'"');
        match address {
            // Avoids `fmt`, which costs as much as all preceding keys of a record together.
            IpAddr::V4(address) => {
                for (at, octet) in address.octets().into_iter().enumerate() {
                    self.raw(if at > 0 { "." } else { "" });
                    self.raw(itoa::Buffer::new().format(octet));
                }
            }
            IpAddr::V6(address) => {
                let _ = write!(self.out, "{address}");
            }
        }
        self.out.push(b'"');
    }

    fn object(&mut self, key: &str, map: &serde_json::Map<String, serde_json::Value>) {
        self.raw(key);
        json_object(map, self.out);
    }
}

#[cfg(test)]
mod tests;
