//! The effective policy: the settings of the process, with feature flags, overrides and debug tokens applied to them.
//!
//! ```text
//! settings ─→ flags ─→ overrides: process ─→ blueprint ─→ module ─→ route ─→ debug token of one request
//! ```
//!
//! Each step takes precedence over the ones before it. For log lines, a level in `log.levels` yields only to an override for
//! that module, and a debug token only lowers the level. The result is an immutable, versioned [`Snapshot`]. A change publishes a
//! new snapshot; each record is routed by exactly one snapshot.

mod cells;
mod change;
mod flags;
mod levels;
mod live;
mod origin;
mod overrides;
mod parse;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;

pub use cells::{CellChange, Column, changed_cells};
pub(crate) use levels::is_in_module;
pub(crate) use store::{Current, differences};

pub use crate::flag_values::FlagValues;
pub use change::{Action, PolicyChange, Source};
pub use live::{LIVE_KEYS, LiveSettings, LiveValues, is_live_key};
pub use origin::RecordOrigin;
pub use overrides::{Override, OverrideScope};
pub use parse::{InvalidValue, check_module};
pub use snapshot::{EffectiveValues, Snapshot};
pub use store::{EffectivePolicy, MAX_OVERRIDES, OverrideError, SetOutcome};
