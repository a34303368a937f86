//! Formatting of records: one line of JSON, or human-readable lines.

mod entries;
mod fit;
pub(crate) mod json;
mod limit;
pub(crate) mod physical;
mod pretty;
mod renderer;
mod schema;
mod timestamp;

use std::io::IsTerminal;

use crate::record::{Record, ResponseRecord};
use crate::settings::Settings;
use pretty::Pretty;

pub(crate) use renderer::Renderer;
#[cfg(test)]
pub(crate) use schema::Schema;

/// The format of records on stderr.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Format {
    Json,
    Pretty { colour: bool },
}

impl Format {
    pub(crate) fn from_settings(settings: &Settings) -> Self {
        if settings.log.is_json(settings.env) {
            return Format::Json;
        }
        // https://no-color.org
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Format::Pretty { colour: std::io::stderr().is_terminal() && !no_color }
    }

    /// Appends the lines of a record, including the final line feed.
    pub(crate) fn write(self, record: &Record, out: &mut Vec<u8>) {
        match self {
            Format::Json => json::line(record, out),
            Format::Pretty { colour } => out.extend_from_slice(Pretty { colour }.lines(record).as_bytes()),
        }
    }

    /// Appends the lines of a response record.
    pub(crate) fn write_response(self, response: &ResponseRecord<'_>, out: &mut Vec<u8>) {
        match self {
            Format::Json => json::response(response, out),
            Format::Pretty { colour } => out.extend_from_slice(Pretty { colour }.response(response).as_bytes()),
        }
    }
}
