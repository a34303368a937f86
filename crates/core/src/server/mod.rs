//! The service: what it is made of, the app of each worker, and its way from the start to the stop.

pub(crate) mod app;
mod database;
pub(crate) mod debug_token;
mod descriptors;
pub(crate) mod error;
mod management;
mod management_api;
mod reload;
mod run;
pub(crate) mod service;
mod shutdown;
mod signals;
mod start_record;
