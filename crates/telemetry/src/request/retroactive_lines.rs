//! A request's lines below the log level, stored until the request fails or ends.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::report::Report;

/// The approximate memory of a line, without its texts.
const LINE_OVERHEAD: usize = size_of::<(Timestamp, Report)>();

/// The newest lines of a request that are below the log level, up to a limit in bytes. They are redacted.
#[derive(Debug, Default)]
pub(crate) struct RetroactiveLines {
    lines: VecDeque<(Timestamp, Report)>,
    bytes: usize,
    /// The number of lines dropped for newer ones.
    dropped: u64,
}

impl RetroactiveLines {
    /// Adds a line, and drops the oldest ones beyond `max_bytes`.
    pub(crate) fn push(&mut self, at: Timestamp, line: Report, max_bytes: usize) {
        self.bytes += size(&line);
        self.lines.push_back((at, line));
        while self.bytes > max_bytes {
            let Some((_, oldest)) = self.lines.pop_front() else { break };
            self.bytes -= size(&oldest);
            self.dropped += 1;
        }
    }

    /// Removes and returns all lines, oldest first, and the number of dropped ones.
    pub(crate) fn take(&mut self) -> (VecDeque<(Timestamp, Report)>, u64) {
        let Self { lines, dropped, .. } = std::mem::take(self);
        (lines, dropped)
    }
}

fn size(line: &Report) -> usize {
    let span = line.spans.as_ref().map_or(0, |spans| spans.names.len() + size_of_map(&spans.fields));
    LINE_OVERHEAD + line.message.len() + line.target.len() + span + size_of_map(&line.data)
}

fn size_of_map(map: &Map<String, Value>) -> usize {
    map.iter().map(|(key, value)| key.len() + size_of_value(value)).sum()
}

fn size_of_value(value: &Value) -> usize {
    let base = size_of::<Value>();
    match value {
        Value::String(text) => base + text.len(),
        Value::Array(items) => base + items.iter().map(size_of_value).sum::<usize>(),
        Value::Object(map) => base + size_of_map(map),
        Value::Null | Value::Bool(_) | Value::Number(_) => base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;
    use crate::policy::Kind;

    fn line(message: &str) -> Report {
        Report::new(Kind::Line, Level::Debug, "test", message.to_owned()).with("n", 1)
    }

    #[test]
    fn the_oldest_lines_are_dropped_and_counted() {
        let each = size(&line("one"));
        let mut lines = RetroactiveLines::default();
        for message in ["one", "two", "six"] {
            lines.push(Timestamp::UNIX_EPOCH, line(message), 2 * each);
        }
        let (stored, dropped) = lines.take();
        let stored: Vec<_> = stored.iter().map(|(_, line)| line.message.as_str()).collect();
        assert_eq!((stored, dropped), (vec!["two", "six"], 1));
        assert_eq!(lines.take().1, 0);
        lines.push(Timestamp::UNIX_EPOCH, line("longer than the limit of all lines"), each);
        assert_eq!((lines.take().1, lines.bytes), (1, 0));
    }
}
