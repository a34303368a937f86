//! Tools for handlers: problems, extractors, authentication, conditional requests, idempotency keys, pagination, HTTP calls.

pub mod auth;
pub mod conditional;
mod database;
pub mod extract;
pub mod fields;
mod hash;
pub mod idempotency;
pub mod paging;
mod parameter;
pub(crate) mod problem;
pub mod remote;
mod serde_messages;
mod strict_structs;
mod transaction;
