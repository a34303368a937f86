//! The service's real peers. Each is set up on first use, in `target/peers/`.

pub mod authority;
pub mod bad_sentry;
pub mod booted;
pub mod bugsink;
pub mod debian;
pub mod deployed;
pub mod flask;
pub mod haproxy;
pub mod journald;
pub mod kubectl;
pub mod npm;
pub mod openmetrics;
pub mod program;
pub mod proxy;
pub mod recording_sentry;
pub mod slow_proxy;
pub mod spotlight;
pub mod syslog_ng;
pub mod systemd;

pub use test_harness::peers::{postgres, supervisor, supervisor_conf, venv};
