//! Options for opening a database.

use std::time::Duration;

use super::engine::Engine;

/// The URL of a database, and limits on its connections.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub url: String,
    /// Whether pending migrations run when the database is opened; otherwise they are an error.
    pub migrate: bool,
    pub max_connections: u32,
    pub min_connections: u32,
    /// Maximum time that a request waits for a connection, and startup for the first one.
    pub acquire_timeout: Duration,
    /// Time after which an idle connection is closed; never if `None`.
    pub idle_timeout: Option<Duration>,
    /// Timeout of a statement on PostgreSQL; unlimited if `None`.
    pub statement_timeout: Option<Duration>,
}

impl Options {
    /// Maximum number of file descriptors of connections that do not belong to a worker.
    pub(crate) fn max_descriptors(&self) -> u64 {
        match Engine::of(&self.url) {
            // The pool, and the dedicated connection that listens for shared overrides.
            Some(Engine::Postgres) => u64::from(self.max_connections) + 1,
            // The writing connection: the file, its WAL, its index and the lock.
            _ => 4,
        }
    }
}
