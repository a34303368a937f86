//! Text on stderr outside the sinks: the reason why no service, and so no sink, could start.

use std::io::{self, Write};

use crate::level::Level;
use crate::lines::prefixed_lines::write_lines;
use crate::priority;
use crate::settings::{LineSettings, PriorityPrefix};

/// The maximum length of a line while the settings are unknown, in bytes.
const MAX_LINE_BYTES: usize = 16_000;

/// Writes text to stderr directly. As with records, no line is longer than `log.max_line_bytes`, and each has its priority under
/// journald. `None` stands for settings that are not known.
pub fn write_to_stderr(level: Level, text: &str, settings: Option<&LineSettings>) {
    let setting = settings.map_or(PriorityPrefix::Auto, |lines| lines.priority_prefix);
    let prefix = if priority::is_on(setting) { priority::prefix(level) } else { "" };
    let max = settings.map_or(MAX_LINE_BYTES, |lines| lines.max_line_bytes);
    let mut lines = String::with_capacity(text.len() + 16);
    write_lines(text.trim_end(), prefix, max, &mut lines);
    // If stderr is closed, the error cannot be reported.
    let _ = io::stderr().lock().write_all(lines.as_bytes());
}
