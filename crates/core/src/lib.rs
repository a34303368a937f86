//! A framework for JSON APIs on actix-web: each response is logged, each failure is reported once, and one destination table
//! decides which sinks (stderr, Sentry) receive each record.
//!
//! ```text
//! request → context, headers → root span → compression → response log → CORS, limits, failures → blueprint
//!                                                             │                         │          │
//!                                                             │                         │          ├─ tracing::info! … critical!
//!                                                             │                         │          ├─ add_breadcrumb
//!                                                             │                         │          └─ capture_exception, capture_event
//!                                                             ▼                         ▼          ▼
//!                                                           record ──→ Policy::destinations (the table) ──→ stderr, Sentry
//! ```
//!
//! A blueprint is a set of routes under one prefix; it implements [`Blueprint`]. [`Service`] combines blueprints and serves
//! them. Handlers return [`Result`]; its [`Problem`] separates the details that the client may see from those that are only
//! logged.
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
//! - `sentry` (on by default): events are sent to Sentry when a DSN is set.
//! - `anyhow`, `eyre` (off by default): an `anyhow::Error` or `eyre::Report` in a handler is reported with the type of the error in
//!   it, and with anyhow's backtrace.
//! - `flags` (off by default): feature flags control what is recorded when `flags.provider` is set. Requires protoc to build.
//! - `test` (off by default): `cyanotype::test`, which runs a blueprint in memory and exposes its records.

#![forbid(unsafe_code)]
#![warn(missing_docs, unreachable_pub)]

mod api;
mod blueprint;
pub mod checks;
mod database;
mod explain_output;
mod flags;
mod fleet;
mod handler;
mod health;
mod limits;
mod log_control;
mod management_client;
mod metrics;
mod middleware;
mod recorder;
pub mod redaction;
mod request_metrics;
mod sentry;
mod server;
pub mod settings;
#[cfg(feature = "test")]
pub mod test;
pub mod time;

pub use blueprint::error::RegistryError;
pub use blueprint::resources::Resources;
pub use blueprint::routes::RouteInfo;
pub use blueprint::{Blueprint, Dependency, LifecycleFuture};
pub use cyanotype_actix::{BlockError, ClientAddress, ResponseLogRules, ResponseLogger, block};
pub use cyanotype_telemetry::explanation;
pub use cyanotype_telemetry::record::{Event, catalog};
pub use cyanotype_telemetry::{
    Breadcrumb, Destinations, EventId, EventScope, Kind, Level, Message, Policy, RequestHandle, StackPlacement,
    ToSentry, UnknownLevel, User, add_breadcrumb, capture_event, capture_exception, capture_exception_with, critical,
    keep_request, scope, spawn, write_to_stderr,
};
pub use database::{
    Backup, BackupError, BackupProgress, BackupStop, BlueprintMigrations, Database, DatabaseError, DriverError,
    Executor, ExpiringTable, Explanation, FromRow, FromSql, MigrationInfo, MigrationState, Migrations, Outage, Row,
    ToSql, Transaction, placeholders,
};
pub use explain_output::{ExplainOutput, Features};
pub use handler::problem::{FieldError, PROBLEM_JSON, Problem, Result};
pub use handler::{auth, conditional, extract, fields, idempotency, paging, remote};
pub use limits::{Rate, RateLimits};
pub use recorder::Recorder;
pub use sentry::{SENTRY_COMPILED_IN, policy};
pub use server::debug_token::DebugTokenError;
pub use server::error::StartError;
pub use server::main_guard::main;
pub use server::run::serve;
pub use server::service::Service;
pub use settings::ResponseLog;

/// A boxed future that is not `Send`: like handlers, it stays on the thread that created it.
pub use futures_util::future::LocalBoxFuture;
