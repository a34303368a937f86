//! Output of commands: results to stdout, errors to stderr. The reader may close stdout early.

use std::io::{self, Write};

use cyanotype::Level;

use crate::error::CommandError;

/// Writes text and a newline to stdout.
pub(crate) fn write_stdout(text: &str) -> io::Result<()> {
    let written = writeln!(io::stdout().lock(), "{}", text.trim_end());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// The same, with the error of a command.
pub(crate) fn print(text: &str) -> Result<(), CommandError> {
    write_stdout(text).map_err(|error| CommandError::Other(format!("cannot write to stdout: {error}")))
}

/// Writes text and a newline to stderr.
pub(crate) fn print_error(text: &str) {
    cyanotype::write_to_stderr(Level::Error, text, None);
}

/// Writes what a command waits for to stderr.
pub(crate) fn print_progress(text: &str) {
    cyanotype::write_to_stderr(Level::Info, text, None);
}

/// Aligns the cells of rows in columns.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let width =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len)).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String, CommandError> {
    serde_json::to_string_pretty(value).map_err(|error| CommandError::Other(format!("cannot write JSON: {error}")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["long".to_owned(), "x".to_owned()]];
        assert_eq!(super::columns(&rows), "a     b\nlong  x\n");
    }
}
