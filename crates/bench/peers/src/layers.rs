//! Layers shared by several servers.

use std::io;

use sentry::{ClientInitGuard, ClientOptions};

/// Sentry, set up as in its documentation.
pub fn sentry(dsn: &str) -> ClientInitGuard {
    sentry::init(ClientOptions::new().dsn(dsn).maybe_release(sentry::release_name!()))
}

/// tracing-subscriber's JSON lines, written synchronously.
pub fn json_to_stderr() {
    tracing_subscriber::fmt().json().with_writer(io::stderr).init();
}
