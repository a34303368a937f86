//! What a database is opened with.

use std::time::Duration;

use super::engine::Engine;

/// The URL of a database, and the limits of its connections.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub url: String,
    pub max_connections: u32,
    pub min_connections: u32,
    /// How long a request waits for a connection, and a start for the first one.
    pub acquire_timeout: Duration,
    /// How long an unused connection stays open; for ever when `None`.
    pub idle_timeout: Option<Duration>,
    /// How long PostgreSQL has to answer a statement; any time when `None`.
    pub statement_timeout: Option<Duration>,
}

impl Options {
    /// How many descriptors the connections take that do not belong to a worker.
    pub(crate) fn most_descriptors(&self) -> u64 {
        match Engine::of(&self.url) {
            // Those of the pool, and the one that is notified of shared overrides.
            Some(Engine::Postgres) => u64::from(self.max_connections) + 1,
            // The connection that writes has the file, its log, its index and the lock.
            _ => 4,
        }
    }
}
