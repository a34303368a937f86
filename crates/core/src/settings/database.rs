//! The database, and its connections.

use std::time::Duration;

use cyanotype_settings::{Conflict, Values, section};

use crate::database::check_url;

section! {
    /// The database, and its connections.
    pub struct DatabaseSettings {
        /// the database; sqlite://PATH is embedded and is made when missing, postgres://USER:PASSWORD@HOST:PORT/DATABASE is
        /// for several machines; what such a URL leaves out is taken from the PG… variables
        #[setting(Url, default = "sqlite://data/cyanotype.db", env = "DATABASE_URL", check = check_url)]
        pub url: String,
        /// the most connections of this process to PostgreSQL; SQLite has one that writes, and one a thread that reads
        #[setting(Whole(1, 10_000), default = 8)]
        pub max_connections: u32,
        /// connections to PostgreSQL that are kept open, used or not; no more than database.max_connections
        #[setting(Whole(0, 10_000), default = 0)]
        pub min_connections: u32,
        /// seconds that a request waits for a connection, or on SQLite for its turn to write, and a start for the first one
        #[setting(Whole(1, 3600), default = 6)]
        acquire_timeout_s: u64,
        /// seconds after which a connection to PostgreSQL that nobody uses is closed; 0 keeps it
        #[setting(Whole(0, 86_400), default = 600)]
        idle_timeout_s: u64,
        /// seconds that PostgreSQL has to answer a statement before its connection is given up; 0 for any time
        #[setting(Whole(0, 86_400), default = 20)]
        statement_timeout_s: u64,
        /// seconds between two deletions of expired sessions and idempotency keys; one process at a time does it
        #[setting(Whole(1, 86_400), default = 60)]
        sweep_interval_s: u64,
    }
    validate_combination = min_connections_fit_in_max;
}

impl DatabaseSettings {
    /// How long a request waits for a connection, and a start for the first one.
    #[must_use]
    pub fn acquire_timeout(&self) -> Duration {
        Duration::from_secs(self.acquire_timeout_s)
    }

    /// How long PostgreSQL has to answer a statement; any time when `None`.
    #[must_use]
    pub fn statement_timeout(&self) -> Option<Duration> {
        (self.statement_timeout_s > 0).then(|| Duration::from_secs(self.statement_timeout_s))
    }

    /// How often rows whose time is over are deleted.
    #[must_use]
    pub fn sweep_interval(&self) -> Duration {
        Duration::from_secs(self.sweep_interval_s)
    }

    /// How long a connection that nobody uses is kept; for ever when `None`.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        (self.idle_timeout_s > 0).then(|| Duration::from_secs(self.idle_timeout_s))
    }
}

fn min_connections_fit_in_max(values: &Values<'_>) -> Option<Conflict> {
    const MIN: &str = "min_connections";
    const MAX: &str = "max_connections";
    let (min, max) = (values.get(MIN)?.as_u64()?, values.get(MAX)?.as_u64()?);
    let (max_key, set_by) = (values.key(MAX), values.set_by(MAX));
    (min > max).then(|| (MIN, format!("`{min}` is more than {max_key}, which is {max} (set by {set_by})")))
}
