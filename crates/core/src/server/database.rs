//! Database options from the settings.

use crate::database::Options;
use crate::settings;

impl From<&settings::DatabaseSettings> for Options {
    fn from(settings: &settings::DatabaseSettings) -> Self {
        Self {
            url: settings.url.clone(),
            max_connections: settings.max_connections,
            min_connections: settings.min_connections,
            acquire_timeout: settings.acquire_timeout(),
            idle_timeout: settings.idle_timeout(),
            statement_timeout: settings.statement_timeout(),
        }
    }
}
