//! The database and its connections.

use std::time::Duration;

use cyanotype_settings::{Conflict, Values, section};

use crate::database::{Options, check_url};

section! {
    /// The database and its connections.
    pub struct DatabaseSettings {
        /// URL of the database: sqlite://PATH is embedded and created when missing; postgres://USER:PASSWORD@HOST:PORT/DATABASE
        /// can be shared by several machines, and missing parts are taken from the PG… environment variables
        #[setting(Url, default = "sqlite://data/cyanotype.db", env = "DATABASE_URL", check = check_url)]
        pub url: String,
        /// whether the start runs pending migrations; if false, a start with pending migrations is refused until `app db migrate`
        /// has run them; a database in memory is always migrated
        #[setting(Bool, default = true)]
        pub migrate_at_start: bool,
        /// maximum number of PostgreSQL connections of this process; SQLite always uses one connection for writes and one per
        /// thread for reads
        #[setting(Integer(1, 10_000), default = 8)]
        pub max_connections: u32,
        /// number of PostgreSQL connections that stay open while idle; at most database.max_connections
        #[setting(Integer(0, 10_000), default = 0)]
        pub min_connections: u32,
        /// maximum time in seconds that a request waits for a connection (on SQLite: for the write lock), and that
        /// startup waits for the first connection
        #[setting(Integer(1, 3600), default = 6)]
        acquire_timeout_s: u64,
        /// time in seconds after which an idle PostgreSQL connection is closed; 0 keeps it open
        #[setting(Integer(0, 86_400), default = 600)]
        idle_timeout_s: u64,
        /// maximum time in seconds of a PostgreSQL statement; then its connection is dropped; 0 disables the limit
        #[setting(Integer(0, 86_400), default = 20)]
        statement_timeout_s: u64,
        /// interval in seconds between deletions of expired rows, such as sessions and idempotency keys, by one process at a
        /// time
        #[setting(Integer(1, 86_400), default = 60)]
        sweep_interval_s: u64,
    }
    validate_combination = check_min_connections;
}

impl DatabaseSettings {
    /// Maximum time that a request waits for a connection, and startup for the first one.
    #[must_use]
    pub fn acquire_timeout(&self) -> Duration {
        Duration::from_secs(self.acquire_timeout_s)
    }

    /// Maximum time of a PostgreSQL statement; `None`: no limit.
    #[must_use]
    pub fn statement_timeout(&self) -> Option<Duration> {
        (self.statement_timeout_s > 0).then(|| Duration::from_secs(self.statement_timeout_s))
    }

    /// How often expired rows are deleted.
    #[must_use]
    pub fn sweep_interval(&self) -> Duration {
        Duration::from_secs(self.sweep_interval_s)
    }

    /// How long an idle connection stays open; `None`: forever.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        (self.idle_timeout_s > 0).then(|| Duration::from_secs(self.idle_timeout_s))
    }
}

impl From<&DatabaseSettings> for Options {
    fn from(settings: &DatabaseSettings) -> Self {
        Self {
            url: settings.url.clone(),
            migrate: settings.migrate_at_start,
            max_connections: settings.max_connections,
            min_connections: settings.min_connections,
            acquire_timeout: settings.acquire_timeout(),
            idle_timeout: settings.idle_timeout(),
            statement_timeout: settings.statement_timeout(),
        }
    }
}

fn check_min_connections(values: &Values<'_>) -> Option<Conflict> {
    const MIN: &str = "min_connections";
    const MAX: &str = "max_connections";
    let (min, max) = (values.get(MIN)?.as_u64()?, values.get(MAX)?.as_u64()?);
    let (max_key, set_by) = (values.key(MAX), values.set_by(MAX));
    (min > max).then(|| (MIN, format!("`{min}` is more than {max_key}, which is {max} (set by {set_by})")))
}
