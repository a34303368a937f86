//! Parameters and results of the fleet's calls.

use std::time::Duration;

use cyanotype_telemetry::effective::{LiveValues, MAX_OVERRIDES, Override, OverrideScope};
use serde::Serialize;
use uuid::Uuid;

use crate::database::DatabaseError;

/// An override to set for the fleet.
#[derive(Debug, Clone)]
pub(crate) struct NewFleetOverride {
    pub id: String,
    pub set: LiveValues,
    pub scope: OverrideScope,
    /// Measured by the database's clock.
    pub duration: Duration,
    pub reason: String,
    pub by: String,
}

/// An override as stored for the fleet; this process has applied it.
#[derive(Debug, Clone)]
pub(crate) struct StoredOverride {
    pub policy_override: Override,
    /// Whether the id is new.
    pub created: bool,
    pub fleet_version: u64,
}

/// The applied versions of the processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FleetStatus {
    /// `None` until the first override.
    pub version: Option<u64>,
    /// The processes that reported within the last 15 seconds.
    pub processes: Vec<ProcessStatus>,
}

/// The applied version of one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ProcessStatus {
    pub id: Uuid,
    /// Host name and process id.
    pub name: String,
    /// The version that it has applied.
    pub version: Option<u64>,
    /// When it last reported, by the database's clock.
    pub seen: String,
}

/// Why a fleet call failed. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FleetError {
    #[error("{0}")]
    Unavailable(#[from] DatabaseError),
    #[error("the fleet already has the maximum of {MAX_OVERRIDES} overrides; clear one first")]
    TooMany,
}
