//! Records as lines: rendered, renamed where the settings say so, and bounded.

use super::Format;
use super::entries::split;
use super::limit::shorten;
use super::prefixed_lines::write_lines;
use super::schema::Schema;
use crate::level::Level;
use crate::priority;
use crate::record::{Record, ResponseRecord};
use crate::settings::{LineSettings, Settings};

/// Renders records. No line is longer than `log.max_line_bytes`.
#[derive(Debug)]
pub(crate) struct Renderer {
    format: Format,
    schema: Schema,
    /// Whether JSON is ASCII.
    ascii: bool,
    /// Whether each line begins with its priority.
    prefix: bool,
    /// Whether a rendered line is complete if it is not too long.
    is_plain: bool,
    /// The maximum length of a line, with its prefix and line feed.
    max_line_bytes: usize,
}

impl Renderer {
    pub(crate) fn from_settings(settings: &Settings) -> Self {
        let prefix = priority::is_on(settings.log.lines.priority_prefix);
        Self::new(Format::from_settings(settings), &settings.log.lines, prefix)
    }

    fn new(format: Format, lines: &LineSettings, prefix: bool) -> Self {
        let schema = Schema::from_settings(lines);
        let is_plain = match format {
            Format::Json => !lines.ascii && schema.is_default(),
            Format::Pretty { .. } => !prefix,
        };
        Self { format, schema, ascii: lines.ascii, prefix, is_plain, max_line_bytes: lines.max_line_bytes }
    }

    /// JSON with our names, without prefix, and with this maximum length.
    pub(crate) const fn json(max_line_bytes: usize) -> Self {
        Self {
            format: Format::Json,
            schema: Schema::DEFAULT,
            ascii: false,
            prefix: false,
            is_plain: true,
            max_line_bytes,
        }
    }

    /// Appends the lines of a record, including the final line feed, to an empty buffer.
    pub(crate) fn write(&self, record: &Record, out: &mut Vec<u8>) {
        self.begin(record.level, out);
        self.format.write(record, out);
        self.finish(record.level, self.max_line_bytes, out);
    }

    /// Appends the lines of a response record to an empty buffer.
    pub(crate) fn write_response(&self, response: &ResponseRecord<'_>, out: &mut Vec<u8>) {
        self.begin(response.level, out);
        self.format.write_response(response, out);
        self.finish(response.level, self.max_line_bytes, out);
    }

    /// The length of a record's longest line, if there were no limit.
    pub(crate) fn full_len(&self, record: &Record) -> usize {
        let mut out = Vec::new();
        self.begin(record.level, &mut out);
        self.format.write(record, &mut out);
        self.finish(record.level, usize::MAX, &mut out);
        out.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap_or(0)
    }

    pub(crate) const fn max_line_bytes(&self) -> usize {
        self.max_line_bytes
    }

    pub(crate) const fn is_ascii(&self) -> bool {
        self.ascii
    }

    /// The number of bytes that a text may need in a JSON string, to need at most `max` bytes in this format.
    pub(crate) const fn escaped_bytes(&self, max: usize) -> usize {
        match self.format {
            Format::Json => max,
            // Its escapes are at most twice as long: `\u{2028}` instead of three bytes.
            Format::Pretty { .. } => max / 2,
        }
    }

    /// Begins a line of JSON; the lines of other formats get their prefix when they are complete.
    #[inline]
    fn begin(&self, level: Level, out: &mut Vec<u8>) {
        if self.prefix && matches!(self.format, Format::Json) {
            out.extend_from_slice(priority::prefix(level).as_bytes());
        }
    }

    /// Most lines are complete as they are rendered.
    #[inline]
    fn finish(&self, level: Level, max: usize, out: &mut Vec<u8>) {
        if !self.is_plain || out.len() > max {
            self.rewrite(level, max, out);
        }
    }

    #[cold]
    fn rewrite(&self, level: Level, max: usize, out: &mut Vec<u8>) {
        let rendered = String::from_utf8(std::mem::take(out)).expect("records are rendered as UTF-8");
        let prefix = if self.prefix { priority::prefix(level) } else { "" };
        let mut line = String::with_capacity(prefix.len() + rendered.len());
        match self.format {
            Format::Json => {
                line.push_str(prefix);
                self.rewrite_json(rendered[prefix.len()..].to_owned(), max, &mut line);
            }
            Format::Pretty { .. } => write_lines(&rendered, prefix, max, &mut line),
        }
        *out = line.into_bytes();
    }

    fn rewrite_json(&self, mut rendered: String, max: usize, line: &mut String) {
        if self.ascii {
            cyanotype_redact::escape::to_ascii(&mut rendered);
        }
        if self.schema.is_default() && line.len() + rendered.len() <= max {
            return line.push_str(&rendered);
        }
        let mut entries = split(&rendered);
        let prefix = line.len();
        self.schema.write(&entries, line);
        if line.len() <= max {
            return;
        }
        shorten(&mut entries, self.ascii, |entries| {
            let mut line = String::new();
            self.schema.write(entries, &mut line);
            (prefix + line.len()).saturating_sub(max)
        });
        line.truncate(prefix);
        self.schema.write(&entries, line);
    }
}

#[cfg(test)]
mod tests;
