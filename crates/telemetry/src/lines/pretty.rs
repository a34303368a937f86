//! Human-readable records: aligned, colored and wrapped on a terminal, with indented bodies and stack traces reduced to the
//! service's own frames.

use std::fmt::Write;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde_json::Value;

use cyanotype_redact::escape::visible;

use super::indented::indented;
use super::wrap::{GUTTER, Terminal};
use crate::failure::PanicSite;
use crate::identity::RequestIdentity;
use crate::level::Level;
use crate::policy::Kind;
use crate::record::{BodyDetail, Detail, EventScope, FailureDetail, Outcome, Record, ResponseRecord, Spans};
use crate::stack::Frame;

const INDENT: &str = "      ";

#[derive(Debug, Clone, Copy)]
pub(crate) struct Pretty {
    /// Whether escape sequences set colors.
    pub color: bool,
    /// The terminal whose width the lines must not exceed.
    pub terminal: Option<Terminal>,
}

impl Pretty {
    /// The lines of a record, including the final line feed.
    pub(super) fn record(&self, record: &Record) -> String {
        let mut out = self.begin(record.at, record.level, record.kind);
        visible(&record.message, false, &mut out);
        self.origin(&mut out, record.request.as_deref(), &record.target, record.spans.as_ref());
        if record.retroactive {
            self.dim(&mut out, " (retroactive)");
        }
        let pairs = match &record.detail {
            Detail::Fields(map) | Detail::Data(map) | Detail::Service(map) => Some(map),
            Detail::None => None,
        };
        for (key, value) in pairs.into_iter().flatten() {
            self.pair(&mut out, key, value);
        }
        self.scope(&mut out, record.scope.as_deref());
        out.push('\n');
        if let Some(failure) = &record.failure {
            self.failure(&mut out, failure);
        }
        if let Some(id) = record.event_id {
            self.dim(&mut out, &format!("{INDENT}sentry event {id}\n"));
        }
        self.finish(out)
    }

    /// The lines of a response record.
    pub(super) fn response(&self, response: &ResponseRecord<'_>) -> String {
        let mut out = self.begin(response.at, response.level, Kind::Response);
        self.response_summary(&mut out, response);
        self.origin(&mut out, Some(&response.request), ResponseRecord::TARGET, None);
        self.scope(&mut out, response.scope.as_deref());
        out.push('\n');
        if let Some(request) = &response.request_body {
            self.dim(&mut out, &format!("{INDENT}request body, {} B\n", request.size));
            self.body(&mut out, request);
            self.dim(&mut out, &format!("{INDENT}response body\n"));
        }
        self.body(&mut out, &response.response);
        self.finish(out)
    }

    fn finish(&self, lines: String) -> String {
        match self.terminal {
            Some(terminal) => terminal.wrap(&lines),
            None => lines,
        }
    }

    fn begin(&self, at: Timestamp, level: Level, kind: Kind) -> String {
        let mut out = String::with_capacity(256);
        let at = at.to_zoned(jiff::tz::TimeZone::UTC);
        self.dim(&mut out, &at.strftime("%H:%M:%S%.3fZ").to_string());
        out.push(' ');
        self.paint(&mut out, color_of(level), &format!("{:<8}", level.as_str()));
        self.dim(&mut out, &format!(" {:<10} ", kind.as_str()));
        out
    }

    /// Writes the origin: the blueprint or the module, and enough of the request id to distinguish requests.
    fn origin(&self, out: &mut String, request: Option<&RequestIdentity>, target: &str, spans: Option<&Spans>) {
        let mut origin = String::new();
        match request {
            Some(request) => {
                let id = request.id();
                let tail = &id[id.len().saturating_sub(6)..];
                let _ = write!(origin, "  {}#{tail}", request.blueprint().unwrap_or("-"));
                if request.debug_level().is_some() {
                    origin.push_str(" (debug)");
                }
            }
            None => visible(&format!("  {target}"), false, &mut origin),
        }
        if let Some(spans) = spans {
            visible(&format!(" in {}", spans.names), false, &mut origin);
        }
        self.dim(out, &origin);
        for (key, value) in spans.into_iter().flat_map(|spans| &spans.fields) {
            self.pair(out, &format!("span.{key}"), value);
        }
    }

    fn response_summary(&self, out: &mut String, response: &ResponseRecord<'_>) {
        visible(&format!("{} {}", response.method, response.path), false, out);
        if let Some(query) = &response.query {
            visible(&format!("?{query}"), false, out);
        }
        out.push(' ');
        match response.status {
            Some(status) => self.paint(out, color_of_status(status), &status.to_string()),
            None => out.push('-'),
        }
        let _ = write!(out, " {:.1} ms {} B", response.duration.as_secs_f64() * 1000.0, response.response.size);
        if response.response.content.is_none() {
            for value in [&response.response.content_type, &response.response.coding].into_iter().flatten() {
                visible(&format!(" {value}"), false, out);
            }
        }
        if response.outcome != Outcome::Complete {
            let _ = write!(out, " {}", response.outcome.as_str());
        }
    }

    fn body(&self, out: &mut String, body: &BodyDetail<'_>) {
        let Some(content) = body.content.as_ref().filter(|content| !content.text.is_empty()) else { return };
        // A type that says so, since a cut body cannot be parsed.
        let is_json = body.content_type.as_deref().is_some_and(has_json_type)
            || serde_json::from_str::<IgnoredAny>(&content.text).is_ok();
        if is_json {
            self.block(out, &indented(&content.text));
        } else {
            self.block(out, &content.text);
        }
        if content.truncated {
            self.dim(out, &format!("{INDENT}… truncated\n"));
        }
    }

    fn failure(&self, out: &mut String, detail: &FailureDetail) {
        for (depth, link) in detail.failure.chain.iter().enumerate() {
            let lead = if depth == 0 { "" } else { "caused by " };
            let mut line = format!("{INDENT}{}{lead}", "  ".repeat(depth.min(8)));
            visible(&format!("{}: {}", link.type_name, link.message), false, &mut line);
            line.push('\n');
            self.paint(out, if depth == 0 { "31" } else { "0" }, &line);
        }
        if let Some(PanicSite { location, thread }) = &detail.failure.panic_site {
            let mut line = INDENT.to_owned();
            let thread = thread.as_ref().map(|thread| format!(" on the thread {thread}")).unwrap_or_default();
            visible(&format!("panicked at {location}{thread}"), false, &mut line);
            line.push('\n');
            self.dim(out, &line);
        }
        if let (true, Some(stack)) = (detail.with_stack, &detail.failure.stack) {
            self.stack(out, stack.frames());
        }
    }

    fn stack(&self, out: &mut String, frames: &[Frame]) {
        let own: Vec<&Frame> = frames.iter().filter(|frame| frame.in_app).collect();
        // If all frames are of libraries, the innermost ones are shown.
        let shown = if own.is_empty() { frames.iter().take(12).collect() } else { own };
        for frame in &shown {
            let _ = write!(out, "{INDENT}  at {}", frame.function.replace("::{{closure}}", ""));
            if let Some(file) = &frame.file {
                self.dim(out, &format!("  {file}:{}", frame.line.unwrap_or(0)));
            }
            out.push('\n');
        }
        let hidden = frames.len() - shown.len();
        if hidden > 0 {
            self.dim(out, &format!("{INDENT}  … and {hidden} library frames\n"));
        }
    }

    fn pair(&self, out: &mut String, key: &str, value: &Value) {
        let mut text = String::new();
        match value {
            Value::String(value) => visible(&format!(" {key}={value}"), false, &mut text),
            value => visible(&format!(" {key}={value}"), false, &mut text),
        }
        self.dim(out, &text);
    }

    /// Writes the tags and the user, each value as a pair.
    fn scope(&self, out: &mut String, scope: Option<&EventScope>) {
        let Some(EventScope { tags, user, .. }) = scope else { return };
        for (name, map) in [("tags", tags), ("user", user)] {
            for (key, value) in map {
                self.pair(out, &format!("{name}.{key}"), value);
            }
        }
    }

    fn block(&self, out: &mut String, text: &str) {
        for line in text.lines() {
            // It prevents a body from imitating a record.
            out.push_str(GUTTER);
            visible(line, true, out);
            out.push('\n');
        }
    }

    fn dim(&self, out: &mut String, text: &str) {
        self.paint(out, "2", text);
    }

    fn paint(&self, out: &mut String, code: &str, text: &str) {
        if self.color && !text.is_empty() {
            // The line feed stays outside the escape sequences, so that the color ends with the line.
            let (body, end) = text.strip_suffix('\n').map_or((text, ""), |body| (body, "\n"));
            let _ = write!(out, "\x1b[{code}m{body}\x1b[0m{end}");
        } else {
            out.push_str(text);
        }
    }
}

/// Whether a media type is `application/json` or ends in `+json`.
fn has_json_type(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

fn color_of(level: Level) -> &'static str {
    match level {
        Level::Trace | Level::Debug => "2",
        Level::Info => "32",
        Level::Warning => "33",
        Level::Error => "31",
        Level::Critical => "1;31",
    }
}

fn color_of_status(status: u16) -> &'static str {
    match status {
        500.. => "31",
        400.. => "33",
        _ => "32",
    }
}
