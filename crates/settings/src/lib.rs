//! Settings that are declared once: a [`section!`] is a struct whose fields state what each setting takes, its default, its
//! checks and its documentation, and a [`Loader`] fills it from files, environment variables and flags.
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
//!     /// How records are written.
//!     pub struct Log {
//!         /// the format of a record
//!         #[setting(one_of::<Format>(), default = "json")]
//!         pub format: Format,
//!         /// bytes that may wait for a slow reader
//!         #[setting(Whole(65536, 1 << 30), default = 8388608)]
//!         pub queue_bytes: usize,
//!     }
//! }
//!
//! section! {
//!     /// Everything that can be set.
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
//!     "log.format (set by APP__LOG__FORMAT): `loud` is not allowed; allowed is one of json, pretty"
//! );
//! # Ok::<(), cyanotype_settings::SettingsError>(())
//! ```
//!
//! A value that is wrong, and a key that no section declares, are refused with the key, the layer that set it and what is
//! allowed: [`SettingsError`]. Variables that look as if they were meant for a setting are [warnings](Loaded::warnings).
//! [`Schema::settings`] lists what can be set, for a reference.

#![forbid(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]
#![cfg_attr(test, expect(clippy::allow_attributes, reason = "not each use of `section!` needs what it allows"))]

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
pub use error::{Problem, SettingsError};
pub use files::Fingerprint;
pub use loaded::{Deferred, DeferredValues, Loaded};
pub use loader::Loader;
pub use one_of::one_of;
pub use origin::Origin;
pub use schema::{Combination, Conflict, Schema, Section, Values, VariableValues};
pub use setting::{Check, Setting, ValueType};

/// For [`section!`] alone.
#[doc(hidden)]
pub use serde::Deserialize;
