//! Flags of a flag system that a company has already, as far as they say what is recorded: `log-mode`, `log-level` and
//! `log-debug-request`, evaluated by [OpenFeature](https://openfeature.dev) for the process and for each request.
//!
//! ```no_run
//! # #[cfg(feature = "openfeature")]
//! # mod example {
//! use cyanotype_flags::{FlagSource, Flags, Notice, Process, Subject};
//!
//! # async fn example() {
//! let process = Process {
//!     service: "shop".into(),
//!     instance: "web-1".into(),
//!     environment: "prod".into(),
//!     release: "shop@1.4.0".into(),
//! };
//! let flags = Flags::start(FlagSource::File("/etc/shop/flags.json".into()), process, |notice| match notice {
//!     Notice::Changed(values) => println!("the process's own flags are {values:?}"),
//!     Notice::Away(reason) | Notice::Ignored(reason) => eprintln!("{reason}"),
//!     Notice::Back => eprintln!("the flag system answers again"),
//! });
//! let subject = Subject { blueprint: Some("orders"), route: Some("/orders/{id}"), caller: Some("ada") };
//! if flags.evaluate(&subject).await.debug {
//!     println!("this request is recorded at debug");
//! }
//! # }
//! # }
//! ```
//!
//! A flag system that is away, slow or wrong sets nothing, which is noticed once, and never holds a request up for longer than
//! [`LIMIT`].
//!
//! # Features
//!
//! - `openfeature` (off): all of it. Its build needs protoc; without it the crate is empty, so that a build of the whole workspace
//!   needs none.

#![cfg(feature = "openfeature")]
#![forbid(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]

mod cache;
mod context;
mod evaluation;
mod flags;
mod notices;
mod ofrep;
mod shared;
mod source;
#[cfg(test)]
mod tests;
mod values;
mod worker;

pub use context::{Process, Subject};
pub use flags::Flags;
pub use notices::Notice;
pub use shared::LIMIT;
pub use source::FlagSource;
pub use values::Values;
