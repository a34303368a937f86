//! What more than one of the servers is given.

use std::io;

use sentry::{ClientInitGuard, ClientOptions};

/// Sentry as its document begins it.
pub fn sentry(dsn: &str) -> ClientInitGuard {
    sentry::init(ClientOptions::new().dsn(dsn).maybe_release(sentry::release_name!()))
}

/// tracing-subscriber's lines of JSON, written as they are said.
pub fn json_to_stderr() {
    tracing_subscriber::fmt().json().with_writer(io::stderr).init();
}
