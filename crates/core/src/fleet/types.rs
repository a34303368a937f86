//! What the callers of the fleet give and get.

use std::time::Duration;

use cyanotype_telemetry::effective::{LiveValues, MAX_OVERRIDES, Override, OverrideScope};
use serde::Serialize;
use uuid::Uuid;

use crate::database::DatabaseError;

/// An override to be shared.
#[derive(Debug, Clone)]
pub(crate) struct NewFleetOverride {
    pub id: String,
    pub set: LiveValues,
    pub scope: OverrideScope,
    /// By the database's clock.
    pub lasts: Duration,
    pub reason: String,
    pub by: String,
}

/// An override that all processes share from now on; this one has applied it.
#[derive(Debug, Clone)]
pub(crate) struct StoredOverride {
    pub over: Override,
    /// Whether there was none of its id.
    pub created: bool,
    pub fleet_version: u64,
}

/// How far the processes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FleetStatus {
    /// `None` until the first override.
    pub version: Option<u64>,
    /// Those that were seen within the last 15 seconds.
    pub processes: Vec<ProcessStatus>,
}

/// How far one process is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ProcessStatus {
    pub id: Uuid,
    /// Its machine and its id there.
    pub name: String,
    /// The version that it has applied.
    pub version: Option<u64>,
    /// When it said so last, by the database's clock.
    pub seen: String,
}

/// Why an override is not shared. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FleetError {
    #[error("{0}")]
    Unavailable(#[from] DatabaseError),
    #[error("the fleet shares {MAX_OVERRIDES} overrides already; clear one first")]
    TooMany,
}
