//! Log records, breadcrumbs and events of a service, and the sinks that receive them.
//!
//! One function, [`Policy::destinations`], decides which sinks receive what is reported:
//!
//! ```text
//! tracing::info! … critical!          ─┐
//! add_breadcrumb                       ├─→ Pipeline ─→ Policy::destinations ─→ record sinks (stderr …)
//! capture_exception, capture_event     │                                     └→ event sinks (Sentry …)
//! panics, responses, uncaught errors  ─┘
//! ```
//!
//! A sink implements [`RecordSink`] or [`EventSink`]:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Instant;
//!
//! use cyanotype_telemetry::record::Event;
//! use cyanotype_telemetry::{EventSink, Losses, SinkScope, Sinks};
//!
//! struct Counter(std::sync::atomic::AtomicU64);
//!
//! impl EventSink for Counter {
//!     fn send(&self, _: &Event, _: Option<&SinkScope>) {
//!         self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
//!     }
//!
//!     fn flush(&self, _: Instant) -> Losses {
//!         Losses::none()
//!     }
//! }
//!
//! let sinks = Sinks::none().event(Arc::new(Counter(0.into())));
//! ```
//!
//! This crate has no Cargo features. The Sentry sink is in the crate `cyanotype-sentry`.

#![warn(missing_docs, unreachable_pub)]

mod capture;
mod capture_site;
pub mod debug_token;
mod delivery;
#[cfg(test)]
mod documents;
pub mod effective;
pub mod error_name;
pub mod explanation;
pub mod failure;
mod filter;
mod flag_values;
mod flood;
mod full_event;
mod identity;
mod ignored;
pub mod image;
pub mod in_app;
mod level;
mod lines;
mod losses;
pub mod memory;
mod mute;
mod outcome;
pub mod panic;
mod panic_payload;
pub mod pipeline;
mod plain_text;
mod policy;
mod priority;
pub mod record;
pub mod refused_requests;
mod report;
pub mod request;
mod request_handle;
mod routes;
pub mod sampling;
pub mod settings;
mod sink_counts;
mod sinks;
pub mod stack;
mod start;
mod stderr;
mod subscriber;
mod symbol;
mod symbolizer;
pub mod template;
mod window_counter;

pub use capture::{Message, add_breadcrumb, capture_event, capture_exception, capture_exception_with, scope, spawn};
pub use capture_site::CaptureSite;
pub use full_event::FullEventRecords;
pub use ignored::IgnoredTypes;
pub use level::{Level, UnknownLevel};
pub use losses::Losses;
pub use mute::mute_this_thread;
pub use pipeline::{BeforeBreadcrumb, BeforeSend, Hooks, Pipeline, pipeline};
pub use plain_text::write_to_stderr;
pub use policy::{Destinations, Kind, Policy, StackPlacement, ToSentry};
pub use record::{Breadcrumb, EventId, EventScope, User};
pub use report::Report;
pub use request_handle::{RequestHandle, keep_request};
pub use routes::{is_below, rule_matches, split_rule};
pub use settings::Settings;
pub use sink_counts::{Deliveries, RecordCounts, SinkCounts};
pub use sinks::{EventSink, RecordSink, SinkScope, Sinks};
pub use start::start;
pub use stderr::StderrSink;
pub use subscriber::ROOT_SPAN;

/// Used only by [`critical!`].
#[doc(hidden)]
pub use tracing as __tracing;
