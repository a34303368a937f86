//! What the parts that every request goes through cost: `cargo bench -p cyanotype`.
//!
//! They are private to the core, so all of it is compiled once more, as this program's own.
#![allow(dead_code, unused_imports, clippy::duplicate_mod)]

#[path = "../../src/auth.rs"]
mod auth;
#[path = "../../src/blueprint.rs"]
mod blueprint;
#[path = "../../src/capture.rs"]
mod capture;
#[path = "../../src/database.rs"]
mod database;
#[path = "../../src/extract.rs"]
mod extract;
#[path = "../../src/failure.rs"]
mod failure;
#[path = "../../src/flood.rs"]
mod flood;
#[path = "../../src/http/mod.rs"]
mod http;
#[path = "../../src/lifecycle.rs"]
mod lifecycle;
#[path = "../../src/management.rs"]
mod management;
#[path = "../../src/paging.rs"]
mod paging;
#[path = "../../src/panic.rs"]
mod panic;
#[path = "../../src/pipeline.rs"]
mod pipeline;
#[path = "../../src/problem.rs"]
mod problem;
#[path = "../../src/record/mod.rs"]
mod record;
#[path = "../../src/recorder.rs"]
mod recorder;
#[path = "../../src/redact/mod.rs"]
mod redact;
#[path = "../../src/request.rs"]
mod request;
#[path = "../../src/resolver.rs"]
mod resolver;
#[path = "../../src/sampling.rs"]
mod sampling;
#[cfg_attr(feature = "sentry", path = "../../src/sentry/mod.rs")]
#[cfg_attr(not(feature = "sentry"), path = "../../src/sentry/absent.rs")]
mod sentry;
#[path = "../../src/service.rs"]
mod service;
#[path = "../../src/settings/mod.rs"]
mod settings;
#[path = "../../src/stack.rs"]
mod stack;
#[path = "../../src/stderr/mod.rs"]
mod stderr;
#[path = "../../src/subscriber.rs"]
mod subscriber;

// Private to `stderr`: these are theirs again, in the open.
#[path = "../../src/stderr/escape.rs"]
mod escape;
#[path = "../../src/stderr/json.rs"]
mod json;
#[path = "../../src/stderr/queue.rs"]
mod queue;
#[path = "../../src/stderr/writer.rs"]
mod writer;

mod bodies;
mod escaper;
mod line;
mod policy;
mod pushing;
mod redactor;

// By these names the modules know each other.
pub use blueprint::{Blueprint, RegistryError};
pub use capture::{Breadcrumb, Message, add_breadcrumb, capture_event, capture_exception, spawn};
pub use database::{Database, DatabaseError};
pub use http::response_log::ResponseLogger;
pub use http::rules::ResponseLogRules;
pub use problem::{FieldError, Problem, Result};
pub use record::{EventId, Kind, Level, Policy, Route, StackRoute, ToSentry, UnknownLevel};
pub use recorder::Recorder;
pub use service::{RouteInfo, Service};
pub use settings::ResponseLog;
pub use tracing as __tracing;

fn main() {
    divan::main();
}
