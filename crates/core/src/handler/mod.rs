//! Tools for handlers: problems, extractors, authentication, conditional requests, idempotency keys, pagination, HTTP calls.

pub mod auth;
pub mod conditional;
mod database;
pub mod extract;
pub mod fields;
mod hash;
pub mod idempotency;
mod json_words;
mod objects;
pub mod paging;
mod parameter;
pub(crate) mod problem;
pub mod remote;
mod transaction;
