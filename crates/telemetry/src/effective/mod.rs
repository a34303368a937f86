//! The effective policy: what decides now. Settings say what is on at the start, flags and overrides what is on at the moment.
//!
//! ```text
//! settings ─→ flags ─→ overrides: process ─→ blueprint ─→ module ─→ route ─→ debug token of one request
//! ```
//!
//! All of it is one immutable [`Snapshot`] with a version. A change makes a new one; each record is decided by the snapshot of
//! its moment, and by no other.

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
pub use origin::Origin;
pub use overrides::{Override, OverrideScope};
pub use parse::{InvalidValue, check_module};
pub use snapshot::{EffectiveValues, Snapshot};
pub use store::{EffectivePolicy, MAX_OVERRIDES, OverrideError, SetOutcome};
