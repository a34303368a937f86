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

pub mod auth;
mod blueprint;
mod capture;
pub mod conditional;
mod database;
pub mod extract;
mod failure;
mod flood;
mod http;
pub mod idempotency;
mod lifecycle;
mod management;
pub mod paging;
mod panic;
mod pipeline;
mod problem;
mod record;
mod recorder;
mod redact;
mod request;
mod resolver;
mod sampling;
#[cfg_attr(not(feature = "sentry"), path = "sentry/absent.rs")]
mod sentry;
mod service;
pub mod settings;
mod stack;
mod stderr;
mod subscriber;

pub use blueprint::{Blueprint, RegistryError};
pub use capture::{Breadcrumb, Message, add_breadcrumb, capture_event, capture_exception, spawn};
pub use database::{Database, DatabaseError, placeholders};
pub use http::response_log::ResponseLogger;
pub use http::rules::ResponseLogRules;
pub use problem::{FieldError, Problem, Result};
pub use record::{EventId, Kind, Level, Policy, Route, StackRoute, ToSentry, UnknownLevel};
pub use recorder::Recorder;
pub use service::{RouteInfo, Service};
pub use settings::ResponseLog;

/// For [`critical!`] alone.
#[doc(hidden)]
pub use tracing as __tracing;
