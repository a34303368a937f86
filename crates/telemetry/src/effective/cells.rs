//! The cells of the destination table that a change affects.

use serde::Serialize;

use crate::explanation;
use crate::level::Level;
use crate::policy::{Kind, Policy};

/// A column of the destination table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    /// Whether the record is written to stderr.
    Stderr,
    /// Whether the line on stderr includes the stack trace.
    Stack,
    /// What Sentry receives.
    Sentry,
    /// Whether the record is a line of Sentry's Logs.
    Logs,
}

/// A change of a cell of the destination table, or of the same cell for several levels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellChange {
    /// The kind of record.
    pub kind: Kind,
    /// The adjacent levels that change in the same way.
    pub levels: Vec<Level>,
    /// The column of the cell.
    pub column: Column,
    /// The value before the change, in the format of `app log explain --json`.
    pub before: serde_json::Value,
    /// The value after the change.
    pub after: serde_json::Value,
}

/// Returns the cells in which the tables of two policies differ.
#[must_use]
pub fn changed_cells(before: &Policy, after: &Policy) -> Vec<CellChange> {
    let mut changes: Vec<CellChange> = Vec::new();
    for (kind, _, levels) in explanation::KINDS {
        for column in [Column::Stderr, Column::Stack, Column::Sentry, Column::Logs] {
            for &level in levels {
                let cell = |policy: &Policy| {
                    let destinations = policy.destinations(kind, level);
                    match column {
                        Column::Stderr => serde_json::json!(destinations.stderr),
                        Column::Stack => serde_json::json!(destinations.stack),
                        Column::Sentry => serde_json::json!(destinations.sentry),
                        Column::Logs => serde_json::json!(destinations.logs),
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
