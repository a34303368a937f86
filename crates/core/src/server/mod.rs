//! The service: its builder, the app of each worker, startup and shutdown.

pub(crate) mod app;
mod database;
pub(crate) mod debug_token;
mod doctor;
pub(crate) mod error;
pub(crate) mod last_words;
mod listen;
mod management;
mod management_api;
mod reload;
pub(crate) mod run;
pub(crate) mod service;
mod shutdown;
mod signals;
mod start_record;
mod stopped;
