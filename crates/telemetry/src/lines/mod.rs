//! Formatting of records: one line of JSON, or human-readable lines.

mod entries;
mod fit;
mod indented;
pub(crate) mod json;
mod limit;
pub(crate) mod prefixed_lines;
mod pretty;
mod renderer;
mod schema;
mod terminal;
mod timestamp;
mod wrap;

use crate::record::{Record, ResponseRecord};
use crate::settings::Settings;
pub(crate) use pretty::Pretty;
use wrap::Terminal;

pub(crate) use renderer::Renderer;
#[cfg(test)]
pub(crate) use schema::Schema;

/// The format of records on stderr.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Format {
    Json,
    Pretty(Pretty),
}

impl Format {
    pub(crate) fn from_settings(settings: &Settings) -> Self {
        if settings.log.is_json(settings.env) {
            return Format::Json;
        }
        Format::Pretty(Pretty { color: terminal::has_color(settings.log.color), terminal: Terminal::of_stderr() })
    }

    /// Appends the lines of a record, including the final line feed.
    pub(crate) fn write(self, record: &Record, out: &mut Vec<u8>) {
        match self {
            Format::Json => json::line(record, out),
            Format::Pretty(pretty) => out.extend_from_slice(pretty.record(record).as_bytes()),
        }
    }

    /// Appends the lines of a response record.
    pub(crate) fn write_response(self, response: &ResponseRecord<'_>, out: &mut Vec<u8>) {
        match self {
            Format::Json => json::response(response, out),
            Format::Pretty(pretty) => out.extend_from_slice(pretty.response(response).as_bytes()),
        }
    }
}
