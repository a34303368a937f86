//! A record as text: one line of JSON, or lines for people.

pub(crate) mod json;
mod pretty;
mod timestamp;

use std::io::IsTerminal;

use crate::record::{Record, ResponseRecord};
use crate::settings::Settings;
use pretty::Pretty;

/// How a record is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Format {
    Json,
    Pretty { colour: bool },
}

impl Format {
    pub(crate) fn of(settings: &Settings) -> Self {
        if settings.log.is_json(settings.env) {
            return Format::Json;
        }
        // https://no-color.org
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Format::Pretty { colour: std::io::stderr().is_terminal() && !refused }
    }

    /// Appends the record's line, its end included.
    pub(crate) fn write(self, record: &Record, out: &mut Vec<u8>) {
        match self {
            Format::Json => json::line(record, out),
            Format::Pretty { colour } => out.extend_from_slice(Pretty { colour }.lines(record).as_bytes()),
        }
    }

    /// The same for a response.
    pub(crate) fn write_response(self, response: &ResponseRecord<'_>, out: &mut Vec<u8>) {
        match self {
            Format::Json => json::response(response, out),
            Format::Pretty { colour } => out.extend_from_slice(Pretty { colour }.response(response).as_bytes()),
        }
    }
}
