//! What the parts that every request goes through cost: `cargo bench -p cyanotype`.
//!
//! They are private to the core, so all of it is compiled once more, as this program's own.
#![allow(dead_code, unused_imports, clippy::duplicate_mod)]

#[path = "../../src/api/mod.rs"]
mod api;
#[path = "../../src/auth.rs"]
mod auth;
#[cfg(target_arch = "x86_64")]
#[path = "../../src/avx2.rs"]
mod avx2;
#[path = "../../src/blueprint.rs"]
mod blueprint;
#[path = "../../src/capture.rs"]
mod capture;
#[path = "../../src/conditional.rs"]
mod conditional;
#[path = "../../src/database/mod.rs"]
mod database;
#[path = "../../src/descriptors.rs"]
mod descriptors;
#[path = "../../src/extract.rs"]
mod extract;
#[path = "../../src/failure.rs"]
mod failure;
#[path = "../../src/fields.rs"]
pub mod fields;
#[path = "../../src/flood.rs"]
mod flood;
#[path = "../../src/hash.rs"]
mod hash;
#[path = "../../src/http/mod.rs"]
mod http;
#[path = "../../src/idempotency/mod.rs"]
mod idempotency;
#[path = "../../src/json_words.rs"]
mod json_words;
#[path = "../../src/lifecycle.rs"]
mod lifecycle;
#[path = "../../src/management.rs"]
mod management;
#[path = "../../src/objects.rs"]
mod objects;
#[path = "../../src/outlets.rs"]
mod outlets;
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
#[path = "../../src/refusals.rs"]
mod refusals;
#[path = "../../src/registry.rs"]
mod registry;
#[path = "../../src/remote.rs"]
mod remote;
#[path = "../../src/request.rs"]
mod request;
#[path = "../../src/resolver.rs"]
mod resolver;
#[path = "../../src/resources.rs"]
mod resources;
#[path = "../../src/routes.rs"]
mod routes;
#[path = "../../src/running.rs"]
mod running;
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
#[cfg(any(test, feature = "test"))]
#[path = "../../src/test/mod.rs"]
mod test;
#[path = "../../src/time.rs"]
pub mod time;

// Private to `stderr`: these are theirs again, in the open.
#[path = "../../src/stderr/escape.rs"]
mod escape;
#[path = "../../src/stderr/json.rs"]
mod json;
#[path = "../../src/stderr/queue.rs"]
mod queue;
#[cfg(target_arch = "x86_64")]
#[path = "../../src/stderr/spread.rs"]
mod spread;
#[path = "../../src/stderr/timestamp.rs"]
mod timestamp;
#[path = "../../src/stderr/writer.rs"]
mod writer;

mod bodies;
mod escaper;
mod line;
mod policy;
mod pushing;
mod redactor;

// By these names the modules know each other.
pub use blueprint::{Blueprint, Need, Task};
pub use capture::{Breadcrumb, Message, add_breadcrumb, capture_event, capture_exception, spawn};
pub use database::{
    Column, Database, DatabaseError, DriverError, Executor, Expiring, FromRow, Migrations, Outage, Row, Transaction,
    Value, placeholders,
};
pub use futures_util::future::LocalBoxFuture;
pub use http::response_log::ResponseLogger;
pub use http::rules::ResponseLogRules;
pub use problem::{FieldError, PROBLEM, Problem, Result};
pub use record::{EventId, Kind, Level, Policy, Route, StackRoute, ToSentry, UnknownLevel};
pub use recorder::Recorder;
pub use registry::RegistryError;
pub use resources::Resources;
pub use routes::RouteInfo;
pub use service::Service;
pub use settings::ResponseLog;
pub use tracing as __tracing;

fn main() {
    divan::main();
}
