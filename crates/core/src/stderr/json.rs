//! A record as one line of JSON.

use std::io::Write;

use super::escape::{json_object, json_string};
use crate::record::{BodyDetail, Detail, FailureDetail, Record, ResponseDetail};
use crate::stack;

/// Appends the record's line, its end included.
pub(super) fn line(record: &Record, out: &mut Vec<u8>) {
    let mut line = Line { out };
    line.begin(record);
    if let Some(failure) = &record.failure {
        line.failure(failure);
    }
    if let Some(id) = record.event_id {
        line.text("sentry.event_id", &id.to_string());
    }
    match &record.detail {
        Detail::None => {}
        Detail::Fields(fields) if fields.is_empty() => {}
        Detail::Fields(fields) => line.object("fields", fields),
        Detail::Data(data) if data.is_empty() => {}
        Detail::Data(data) => line.object("data", data),
        Detail::Service(said) => {
            for (key, value) in said {
                line.key(key);
                super::escape::json_value(value, line.out);
            }
        }
        Detail::Response(response) => line.response(response),
    }
    out.extend_from_slice(b"}\n");
}

/// The keys that tell of a body.
struct BodyKeys {
    content_type: &'static str,
    coding: &'static str,
    size: &'static str,
    content: &'static str,
    truncated: &'static str,
}

const RESPONSE_KEYS: BodyKeys = BodyKeys {
    content_type: "http.response.header.content-type",
    coding: "http.response.header.content-encoding",
    size: "http.response.body.size",
    content: "http.response.body.content",
    truncated: "http.response.body.truncated",
};

const REQUEST_KEYS: BodyKeys = BodyKeys {
    content_type: "http.request.header.content-type",
    coding: "http.request.header.content-encoding",
    size: "http.request.body.size",
    content: "http.request.body.content",
    truncated: "http.request.body.truncated",
};

struct Line<'a> {
    out: &'a mut Vec<u8>,
}

impl Line<'_> {
    fn begin(&mut self, record: &Record) {
        let _ = write!(self.out, r#"{{"timestamp":"{:.6}""#, record.at);
        self.text("level", record.level.as_str());
        self.text("kind", record.kind.as_str());
        self.text("message", &record.message);
        self.text("target", &record.target);
        self.optional("span", record.span.as_deref());
        if let Some(request) = &record.request {
            self.text("request_id", &request.id);
            self.text("trace_id", &request.trace_id);
            match request.blueprint() {
                Some(name) => self.text("blueprint", name),
                // A request that no blueprint answers for still has the key.
                None => self.plain("blueprint", "null"),
            }
        }
    }

    fn failure(&mut self, detail: &FailureDetail) {
        let first = detail.failure.first();
        self.text("exception.type", &first.type_name);
        self.text("exception.message", &first.message);
        self.key("exception.chain");
        for (at, link) in detail.failure.chain.iter().enumerate() {
            self.out.push(if at == 0 { b'[' } else { b',' });
            json_string(&link.message, self.out);
        }
        self.out.push(b']');
        if let (true, Some(taken)) = (detail.with_stack, &detail.failure.stack) {
            self.text("exception.stacktrace", &stack::text(taken.frames()));
        }
    }

    fn response(&mut self, response: &ResponseDetail) {
        self.text("http.request.method", &response.method);
        self.optional("http.route", response.route.as_deref());
        self.text("url.path", &response.path);
        self.optional("url.query", response.query.as_deref());
        if let Some(status) = response.status {
            self.plain("http.response.status_code", status);
        }
        self.plain("duration_ms", format_args!("{:.3}", response.duration_ms));
        self.body(&RESPONSE_KEYS, &response.response);
        if let Some(request) = &response.request {
            self.body(&REQUEST_KEYS, request);
        }
        self.text("outcome", response.outcome.as_str());
        self.optional("client.address", response.client_address.as_deref());
        self.optional("user_agent.original", response.user_agent.as_deref());
    }

    fn body(&mut self, keys: &BodyKeys, body: &BodyDetail) {
        self.header(keys.content_type, body.content_type.as_deref());
        self.header(keys.coding, body.coding.as_deref());
        self.plain(keys.size, body.size);
        if let Some(content) = &body.content {
            self.text(keys.content, &content.text);
            self.plain(keys.truncated, content.truncated);
        }
    }

    /// OpenTelemetry has a header's values in a list.
    fn header(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.key(key);
            self.out.push(b'[');
            json_string(value, self.out);
            self.out.push(b']');
        }
    }

    fn key(&mut self, key: &str) {
        self.out.push(b',');
        json_string(key, self.out);
        self.out.push(b':');
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        json_string(text, self.out);
    }

    fn optional(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    fn plain(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        let _ = write!(self.out, "{value}");
    }

    fn object(&mut self, key: &str, map: &serde_json::Map<String, serde_json::Value>) {
        self.key(key);
        json_object(map, self.out);
    }
}
