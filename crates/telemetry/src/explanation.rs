//! The destination table of a policy, as shown by `app log explain` and the management API.

use serde::{Deserialize, Serialize};

use crate::level::Level;
use crate::policy::{Destinations, Kind, Policy};

/// Each kind of record with a description and its possible levels.
pub const KINDS: [(Kind, &str, &[Level]); 7] = [
    (Kind::Line, "a log line", &Level::ALL),
    (Kind::Response, "a response", &[Level::Info, Level::Warning, Level::Error]),
    (Kind::Breadcrumb, "add_breadcrumb", &Level::ALL),
    (Kind::Exception, "capture_exception", &[Level::Error]),
    (Kind::Message, "capture_event", &Level::ALL),
    (Kind::Uncaught, "an uncaught Err or a panic", &[Level::Error]),
    (Kind::Service, "a record of the service itself", &[Level::Info, Level::Warning, Level::Error, Level::Critical]),
];

/// A row of the table: a kind of record, and adjacent levels that have the same destinations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The kind of record.
    pub kind: Kind,
    /// Adjacent levels with the same destinations.
    pub levels: Vec<Level>,
    /// Where such records go.
    #[serde(flatten)]
    pub destinations: Destinations,
}

/// The destination table of a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The inputs of the table.
    pub settings: Policy,
    /// The rows of the table.
    pub rows: Vec<Row>,
}

impl Explanation {
    /// Creates the table of a policy.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let rows = KINDS.iter().flat_map(|(kind, _, levels)| rows(policy, *kind, levels)).collect();
        Self { settings: *policy, rows }
    }
}

/// Merges adjacent levels that have the same destinations into one row.
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
