//! Which cells of the table a change affects.

use serde::Serialize;

use crate::explanation;
use crate::level::Level;
use crate::policy::{Kind, Policy};

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    /// Whether there is a line on stderr.
    Stderr,
    /// Whether the line has the stack trace.
    Stack,
    /// What Sentry gets.
    Sentry,
}

/// A cell of the table whose content changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellChange {
    /// The row's kind.
    pub kind: Kind,
    /// The levels for which it changes alike.
    pub levels: Vec<Level>,
    /// The column.
    pub column: Column,
    /// What stood there: in the words of `app log explain --json`.
    pub before: serde_json::Value,
    /// What stands there after it.
    pub after: serde_json::Value,
}

/// The cells in which two tables differ.
#[must_use]
pub fn changed_cells(before: &Policy, after: &Policy) -> Vec<CellChange> {
    let mut changes: Vec<CellChange> = Vec::new();
    for (kind, _, levels) in explanation::KINDS {
        for column in [Column::Stderr, Column::Stack, Column::Sentry] {
            for &level in levels {
                let cell = |policy: &Policy| {
                    let route = policy.destinations(kind, level);
                    match column {
                        Column::Stderr => serde_json::json!(route.stderr),
                        Column::Stack => serde_json::json!(route.stack),
                        Column::Sentry => serde_json::json!(route.sentry),
                    }
                };
                let (before, after) = (cell(before), cell(after));
                if before == after {
                    continue;
                }
                match changes.last_mut() {
                    Some(last)
                        if last.kind == kind
                            && last.column == column
                            && last.before == before
                            && last.after == after =>
                    {
                        last.levels.push(level);
                    }
                    _ => changes.push(CellChange { kind, levels: vec![level], column, before, after }),
                }
            }
        }
    }
    changes
}
