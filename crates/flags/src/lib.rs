//! Feature flags that control logging: `log-mode`, `log-level` and `log-debug-request`.
//!
//! They come from an existing flag provider and are evaluated with [OpenFeature](https://openfeature.dev), for the process and for
//! each request.
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
//!     FlagEvent::Changed(values) => println!("flags of the process: {values:?}"),
//!     FlagEvent::Unavailable(reason) | FlagEvent::Ignored(reason) => eprintln!("{reason}"),
//!     FlagEvent::Available => eprintln!("flag provider available again"),
//! });
//! let subject = Subject { blueprint: Some("orders"), route: Some("/orders/{id}"), caller: Some("ada") };
//! if flags.evaluate(&subject).await.debug {
//!     println!("log this request at debug");
//! }
//! # }
//! # }
//! ```
//!
//! While the provider is unavailable, too slow or returns invalid values, the flags set nothing. Each such state is reported
//! once. An evaluation never delays a request by more than [`EVALUATION_TIMEOUT`].
//!
//! # Features
//!
//! - `openfeature` (off by default): enables the crate. Building it requires protoc. Without it the crate is empty, so that the
//!   workspace builds without protoc.

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
