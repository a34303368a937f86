//! Flags of a flag system that a company has already, as far as they say what is recorded: `log-mode`, `log-level` and
//! `log-debug-request`, evaluated by [OpenFeature](https://openfeature.dev) for the process and for each request.
//!
//! ```no_run
//! # #[cfg(feature = "openfeature")]
//! # mod example {
//! use cyanotype_flags::{FlagSource, Flags, FlagEvent, ProcessContext, Subject};
//!
//! # async fn example() {
//! let process = ProcessContext {
//!     service: "shop".into(),
//!     instance: "web-1".into(),
//!     environment: "prod".into(),
//!     release: "shop@1.4.0".into(),
//! };
//! let flags = Flags::start(FlagSource::File("/etc/shop/flags.json".into()), process, |event| match event {
//!     FlagEvent::Changed(values) => println!("the process's own flags are {values:?}"),
//!     FlagEvent::Unavailable(reason) | FlagEvent::Ignored(reason) => eprintln!("{reason}"),
//!     FlagEvent::Available => eprintln!("the flag system answers again"),
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
//! [`EVALUATION_TIMEOUT`].
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
mod evaluated_flags;
mod evaluation;
mod events;
mod flags;
mod ofrep;
mod shared;
mod source;
#[cfg(test)]
mod tests;
mod worker;

pub use context::{ProcessContext, Subject};
pub use evaluated_flags::EvaluatedFlags;
pub use events::FlagEvent;
pub use flags::Flags;
pub use shared::EVALUATION_TIMEOUT;
pub use source::FlagSource;
