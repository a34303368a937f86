//! A Sentry event sink.
//!
//! It uses the client and the scopes of the Sentry SDK, builds its own events, and replaces the SDK's transport with one that has
//! bounded memory and an on-disk spool.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use cyanotype_sentry::SentrySink;
//! use cyanotype_telemetry::{Settings, Sinks, StderrSink};
//!
//! /// Logs to stderr, and sends events to Sentry if a DSN is set.
//! fn sinks(settings: &Settings) -> Sinks {
//!     let stderr = Arc::new(StderrSink::start(settings));
//!     let sinks = Sinks::none().record(stderr.clone());
//!     match SentrySink::start(settings, stderr) {
//!         Some(sentry) => sinks.event(Arc::new(sentry)),
//!         None => sinks,
//!     }
//! }
//! ```
//!
//! This crate has no Cargo features.

#![forbid(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]

mod backoff;
mod category;
mod client_reports;
mod clock;
mod connection_check;
mod debug_meta;
mod delivery_counts;
mod direct;
mod drain;
mod endpoint;
mod event;
#[cfg(test)]
mod fake_endpoint;
mod fallback;
mod gate;
mod grouping;
mod items;
mod logs;
mod losses;
mod options;
mod proxy;
mod queue;
mod queued_envelope;
mod rate_limits;
mod scrub;
mod sessions;
mod sink;
mod source_context;
mod spool;
mod spool_content;
mod spool_file;
mod spotlight;
#[cfg(test)]
mod test_delivery;
mod test_event;
#[cfg(test)]
mod test_support;
mod tls_roots;
mod transaction;
mod transport;
mod trim;
mod undelivered;
mod worker;

pub use connection_check::{ConnectionCheck, check_connection};
pub use sink::SentrySink;
pub use spool_content::SpoolContent;
pub use test_event::send_test_event;
