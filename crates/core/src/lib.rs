//! What every blueprint of the service is given: records of its responses, one place to say what went wrong, and one table
//! that says what goes where.
//!
//! ```text
//! request → context, headers → root span → compression → response log → CORS, limits, failures → blueprint
//!                                                             │                         │          │
//!                                                             │                         │          ├─ tracing::info! … critical!
//!                                                             │                         │          ├─ add_breadcrumb
//!                                                             │                         │          └─ capture_exception, capture_event
//!                                                             ▼                         ▼          ▼
//!                                                           record ──→ Policy::route (the table) ──→ stderr, Sentry
//! ```
//!
//! A blueprint implements [`Blueprint`]; [`Service`] puts blueprints together and serves them. Handlers return
//! [`Result`], whose [`Problem`] keeps apart what a client may see and what the log says.

mod api;
pub mod auth;
mod blueprint;
mod capture;
pub mod conditional;
mod database;
mod descriptors;
pub mod extract;
mod failure;
pub mod fields;
mod flood;
mod hash;
mod http;
pub mod idempotency;
mod json_words;
mod lifecycle;
mod management;
mod objects;
mod outlets;
pub mod paging;
mod panic;
mod pipeline;
mod problem;
mod record;
mod recorder;
mod refusals;
mod registry;
pub mod remote;
mod request;
mod resolver;
mod resources;
mod routes;
mod running;
mod sampling;
#[cfg_attr(not(feature = "sentry"), path = "sentry/absent.rs")]
mod sentry;
mod service;
pub mod settings;
mod stack;
mod stderr;
mod subscriber;
#[cfg(any(test, feature = "test"))]
pub mod test;
pub mod time;

pub use blueprint::{Blueprint, Need, Task};
pub use capture::{Breadcrumb, Message, add_breadcrumb, capture_event, capture_exception, spawn};
pub use database::{
    Column, Database, DatabaseError, DriverError, Executor, Expiring, FromRow, Migrations, Outage, Row, Transaction,
    Value, placeholders,
};
pub use http::client_address::ClientAddress;
pub use http::limits::{Rate, RateLimits};
pub use http::response_log::ResponseLogger;
pub use http::rules::ResponseLogRules;
pub use lifecycle::StartError;
pub use problem::{FieldError, PROBLEM, Problem, Result};
pub use record::{EventId, Kind, Level, Policy, Route, StackRoute, ToSentry, UnknownLevel};
pub use recorder::Recorder;
pub use registry::RegistryError;
pub use resources::Resources;
pub use routes::RouteInfo;
pub use service::Service;
pub use settings::ResponseLog;

/// A future that stays on its thread, as those of handlers do.
pub use futures_util::future::LocalBoxFuture;

/// For [`critical!`] alone.
#[doc(hidden)]
pub use tracing as __tracing;
