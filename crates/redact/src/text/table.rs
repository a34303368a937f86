//! Secrets in tables: the cells below a sensitive name in a header of columns.

use std::ops::Range;

use super::searched::Searched;

/// What separates the lines of a table.
const LINE_ENDS: [char; 2] = ['\n', '\t'];
/// The longest cell of a header, in bytes.
const MAX_HEADER: usize = 60;

pub(super) fn find(searched: &Searched<'_>, found: &mut Vec<Range<usize>>) {
    let text = searched.text;
    if !text.contains(LINE_ENDS) {
        return;
    }
    let mut done = 0;
    for key in searched.occurrences {
        if key.start < done {
            continue;
        }
        // A header's value cannot contain a line feed; a tab may stand for it.
        for line_end in LINE_ENDS {
            let start = text[..key.start].rfind(line_end).map_or(0, |at| at + 1);
            let Some(length) = text[key.start..].find(line_end) else { continue };
            let end = key.start + length;
            done = done.max(end);
            let header = &text[start..end];
            if let Some((separator, columns)) = sensitive_columns(searched, header)
                && separator != line_end
            {
                let table = Table { separator, line_end, columns, width: split(header, separator).len() };
                done = table.cells(text, end + 1, found);
            }
        }
    }
}

/// The separator of a header and its sensitive columns.
fn sensitive_columns(searched: &Searched<'_>, header: &str) -> Option<(char, Vec<usize>)> {
    for separator in ['\t', ',', ';', '|'] {
        let cells = split(header, separator);
        let is_header = cells.len() > 1 && cells.iter().all(|cell| is_column_name(trim(&header[cell.clone()])));
        if !is_header {
            continue;
        }
        let names = cells.iter().map(|cell| trim(&header[cell.clone()]));
        let columns: Vec<usize> =
            names.enumerate().filter(|(_, name)| searched.keys.is_sensitive(name)).map(|(nth, _)| nth).collect();
        if !columns.is_empty() {
            return Some((separator, columns));
        }
    }
    None
}

fn trim(cell: &str) -> &str {
    cell.trim().trim_matches(['"', '\''])
}

fn is_column_name(cell: &str) -> bool {
    cell.len() <= MAX_HEADER
        && cell.split_whitespace().count() <= 3
        && cell.chars().all(|c| c.is_alphanumeric() || " _-.()/#".contains(c))
}

/// The cells of a line; a separator in quotes is a part of a cell.
fn split(line: &str, separator: char) -> Vec<Range<usize>> {
    let mut cells = Vec::new();
    let mut from = 0;
    let mut in_quotes = false;
    for (at, c) in line.char_indices() {
        if c == '"' {
            in_quotes = !in_quotes;
        } else if c == separator && !in_quotes {
            cells.push(from..at);
            from = at + c.len_utf8();
        }
    }
    cells.push(from..line.len());
    cells
}

struct Table {
    separator: char,
    line_end: char,
    /// The sensitive ones.
    columns: Vec<usize>,
    /// The number of columns.
    width: usize,
}

impl Table {
    /// Adds the cells of the lines from `start` up to an empty line, and returns where the table ends. A line with another
    /// number of cells is added entirely.
    fn cells(&self, text: &str, start: usize, found: &mut Vec<Range<usize>>) -> usize {
        let line_end =
            |at: usize| text[at.min(text.len())..].find(self.line_end).map_or(text.len(), |length| at + length);
        let mut at = start;
        while at < text.len() {
            // A cell in quotes may contain line ends.
            let mut end = line_end(at);
            while text[at..end].matches('"').count() % 2 == 1 && end < text.len() {
                end = line_end(end + 1);
            }
            let line = text[at..end].trim_end_matches('\r');
            if line.trim().is_empty() || !line.contains(self.separator) {
                return at;
            }
            let cells = split(line, self.separator);
            if cells.len() == self.width || cells.len() < self.width && end == text.len() {
                for cell in self.columns.iter().filter_map(|column| cells.get(*column)) {
                    let inner = trim(&line[cell.clone()]);
                    let from = at + cell.start + line[cell.clone()].find(inner).unwrap_or(0);
                    if !inner.chars().all(|c| "-:= ".contains(c)) {
                        found.push(from..from + inner.len());
                    }
                }
            } else {
                found.push(at..at + line.len());
            }
            at = (end + 1).min(text.len());
        }
        at
    }
}
