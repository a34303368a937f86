//! Settings that are declared once: the fields of a [`section!`] struct declare the type, default, checks and
//! documentation of each setting, and a [`Loader`] fills the struct from files, environment variables and flags.
//!
//! ```
//! use cyanotype_settings::{Loader, one_of, section};
//!
//! #[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize)]
//! #[serde(rename_all = "lowercase")]
//! pub enum Format {
//!     Json,
//!     Pretty,
//! }
//!
//! section! {
//!     /// The log.
//!     pub struct Log {
//!         /// format of a record
//!         #[setting(one_of::<Format>(), default = "json")]
//!         pub format: Format,
//!         /// queue of a slow reader, in bytes
//!         #[setting(Integer(65536, 1 << 30), default = 8388608)]
//!         pub queue_bytes: usize,
//!     }
//! }
//!
//! section! {
//!     /// All settings.
//!     pub struct Settings {
//!         #[setting(section)]
//!         pub log: Log,
//!     }
//! }
//!
//! let settings = Loader::<Settings>::new("config").variables([("APP__LOG__FORMAT", "pretty")]).load()?;
//! assert_eq!((settings.log.format, settings.log.queue_bytes), (Format::Pretty, 8 << 20));
//! assert_eq!(settings.origins[0].set_by, "APP__LOG__FORMAT");
//!
//! let error = Loader::<Settings>::new("config").variables([("APP__LOG__FORMAT", "loud")]).load().unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "log.format (set by APP__LOG__FORMAT): `loud` is not allowed; expected one of json, pretty"
//! );
//! # Ok::<(), cyanotype_settings::SettingsError>(())
//! ```
//!
//! An invalid value or an unknown key is a [`SettingsError`] that names the key, the layer that set it and the allowed
//! values. Misspelled environment variables are reported as [warnings](Loaded::warnings). [`Schema::settings`] lists
//! all settings, for a reference document.

#![forbid(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]
#![cfg_attr(
    test,
    expect(clippy::allow_attributes, reason = "not every use of `section!` triggers the lints that it allows")
)]

mod changes;
mod error;
mod files;
mod inputs;
mod layers;
mod loaded;
mod loader;
mod mask;
mod near_misses;
mod one_of;
mod origin;
mod schema;
mod section;
mod setting;
mod validation;
mod value;
mod value_files;

pub use changes::{Change, Changes, Hidden};
pub use error::{SettingsError, SettingsProblem};
pub use files::Fingerprint;
pub use loaded::{Deferred, DeferredValues, Loaded};
pub use loader::Loader;
pub use one_of::one_of;
pub use origin::Origin;
pub use schema::{Combination, Conflict, Schema, Section, Values, VariableValues};
pub use setting::{Check, Setting, ValueType};

/// Used by [`section!`] only.
#[doc(hidden)]
pub use serde::Deserialize;
