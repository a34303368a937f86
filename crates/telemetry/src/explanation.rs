//! The table written out: what `app log explain` and the management API answer.

use serde::{Deserialize, Serialize};

use crate::level::Level;
use crate::policy::{Destinations, Kind, Policy};

/// Each kind, what it is, and the levels that it can have.
pub const KINDS: [(Kind, &str, &[Level]); 7] = [
    (Kind::Line, "a logger line", &Level::ALL),
    (Kind::Response, "a blueprint's response", &[Level::Info, Level::Warning, Level::Error]),
    (Kind::Breadcrumb, "add_breadcrumb", &Level::ALL),
    (Kind::Exception, "capture_exception", &[Level::Error]),
    (Kind::Message, "capture_event", &Level::ALL),
    (Kind::Uncaught, "an uncaught Err or a panic", &[Level::Error]),
    (Kind::Service, "a record of the service itself", &[Level::Info, Level::Warning, Level::Error, Level::Critical]),
];

/// One row of the table: the levels for which a kind goes the same way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The kind of record.
    pub kind: Kind,
    /// Neighbouring levels.
    pub levels: Vec<Level>,
    /// Where such records go.
    #[serde(flatten)]
    pub destinations: Destinations,
}

/// The table for one policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The table's inputs.
    pub settings: Policy,
    /// The table.
    pub rows: Vec<Row>,
}

impl Explanation {
    /// The table of this policy.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let rows = KINDS.iter().flat_map(|(kind, _, levels)| rows(policy, *kind, levels)).collect();
        Self { settings: *policy, rows }
    }
}

/// Neighbouring levels that go the same way are one row.
fn rows(policy: &Policy, kind: Kind, levels: &[Level]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for &level in levels {
        let destinations = policy.destinations(kind, level);
        match rows.last_mut() {
            Some(row) if row.destinations == destinations => row.levels.push(level),
            _ => rows.push(Row { kind, levels: vec![level], destinations }),
        }
    }
    rows
}
