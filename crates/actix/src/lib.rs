//! Structured logging for any actix-web service: response-logging middleware, request contexts, client addresses behind proxies.
//!
//! ```no_run
//! use actix_web::{App, web};
//! use cyanotype_actix::{Loader, Recorder, Settings, Sinks};
//!
//! let settings = Loader::<Settings>::new("config").process_environment().load().expect("the settings are valid");
//! let recorder = Recorder::start(&settings, Sinks::stderr(&settings.telemetry()));
//! let app = App::new().route("/", web::get().to(async || "Hello")).wrap(recorder.response_logger());
//! ```
//!
//! The crate has no features. The Sentry sink is in the crate `cyanotype-sentry`. To add another sink, implement
//! [`RecordSink`] or [`EventSink`].

#![forbid(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]

mod block;
mod client_address;
pub mod content_type;
mod context;
mod recorder;
pub mod response_log;
mod root_span;
mod route;
pub mod settings;
#[cfg(test)]
mod test_support;

pub use block::{BlockError, block};
pub use client_address::{ClientAddress, ClientAddressResolver};
pub use context::request_context;
pub use cyanotype_settings::Loader;
pub use cyanotype_telemetry::settings::ResponseLog;
pub use cyanotype_telemetry::{
    Breadcrumb, EventId, EventScope, EventSink, Level, Losses, Message, RecordSink, RequestHandle, SinkScope, Sinks,
    User, add_breadcrumb, capture_event, capture_exception, capture_exception_with, critical, keep_request, scope,
    spawn,
};
pub use recorder::Recorder;
pub use response_log::{ResponseLogRules, ResponseLogger};
pub use root_span::RootSpan;
pub use route::route;
pub use settings::Settings;
