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
//!
//! ```no_run
//! # use std::process::ExitCode;
//! fn serve(settings: cyanotype::settings::Settings, orders: impl cyanotype::Blueprint) -> ExitCode {
//!     cyanotype::Service::new(settings).blueprint(orders).run()
//! }
//! ```
//!
//! # Features
//!
//! - `sentry` (on): events go to Sentry when a DSN is set.
//! - `flags` (off): flags of a flag system say what is recorded when `flags.provider` is set. Its build needs protoc.
//! - `test` (off): `cyanotype::test`, which runs a blueprint alone and reads what it records.

#![forbid(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]

mod api;
mod blueprint;
mod database;
mod explain_output;
mod flags;
mod fleet;
mod handler;
mod limits;
mod log_control;
mod middleware;
mod recorder;
mod sentry;
mod server;
pub mod settings;
#[cfg(feature = "test")]
pub mod test;
pub mod time;

pub use blueprint::error::RegistryError;
pub use blueprint::resources::Resources;
pub use blueprint::routes::RouteInfo;
pub use blueprint::{Blueprint, Dependency, Task};
pub use cyanotype_actix::{ClientAddress, ResponseLogRules, ResponseLogger};
pub use cyanotype_telemetry::explanation;
pub use cyanotype_telemetry::record::catalog;
pub use cyanotype_telemetry::{
    Breadcrumb, Destinations, EventId, Kind, Level, Message, Policy, StackPlacement, ToSentry, UnknownLevel,
    add_breadcrumb, capture_event, capture_exception, critical, spawn,
};
pub use database::{
    Column, Database, DatabaseError, DriverError, Executor, Expiring, FromRow, Migrations, Outage, Row, Transaction,
    Value, placeholders,
};
pub use explain_output::{ExplainOutput, Features};
pub use handler::problem::{FieldError, PROBLEM, Problem, Result};
pub use handler::{auth, conditional, extract, fields, idempotency, paging, remote};
pub use limits::{Rate, RateLimits};
pub use recorder::Recorder;
pub use sentry::{SENTRY_COMPILED_IN, policy};
pub use server::debug_token::DebugTokenError;
pub use server::error::StartError;
pub use server::service::Service;
pub use settings::ResponseLog;

/// A future that stays on its thread, as those of handlers do.
pub use futures_util::future::LocalBoxFuture;
