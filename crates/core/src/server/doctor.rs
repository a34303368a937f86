//! `app doctor`: the checks with the settings and the blueprints of this service.

use super::database_commands::migrations;
use super::service::Service;
use crate::checks::{self, Environment, Examination, Progress};

impl Service {
    /// Examines the running service of these settings, or else a start here: see [`CHECKS`](crate::checks::CHECKS). It changes
    /// nothing, and no check takes longer than 15 seconds.
    pub fn examine(&self, progress: impl FnMut(Progress<'_>)) -> Examination {
        let mut settings = self.settings.clone();
        settings.sentry.release.get_or_insert_with(|| self.release());
        let registry = self.check().map_err(|error| error.to_string());
        let of_enabled = match self.select_enabled() {
            Ok((of_blueprints, enabled)) => {
                settings.origins = of_blueprints.origins;
                migrations(&enabled).collect()
            }
            Err(_) => Vec::new(),
        };
        checks::examine(Environment { settings, migrations: of_enabled, registry }, progress)
    }
}
