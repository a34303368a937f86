//! The service's real peers. Each is set up on first use, in `target/peers/`.

pub mod bad_sentry;
pub mod bugsink;
pub mod npm;
pub mod postgres;
mod prepared;
pub mod program;
pub mod proxy;
pub mod slow_proxy;
pub mod supervisor;
pub mod supervisor_conf;
pub mod venv;
