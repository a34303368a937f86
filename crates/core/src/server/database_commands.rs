//! The service's database, and an operator's work on it.

use std::path::Path;

use super::error::StartError;
use super::service::Service;
use crate::blueprint::registry::EnabledBlueprint;
use crate::database::{
    self, Backup, BackupError, BackupProgress, BackupStop, BlueprintMigrations, Database, DatabaseError, Migrations,
    Program,
};
use crate::settings::Settings;

impl Service {
    /// Runs an operator's command on the database, migrated as at startup; no other part of the service runs.
    ///
    /// # Errors
    /// When the blueprints conflict, the database is unavailable, or the work fails.
    pub fn with_database<T>(
        &self,
        work: impl AsyncFnOnce(Database) -> Result<T, DatabaseError>,
    ) -> Result<T, StartError> {
        let (settings, enabled) = self.select_enabled()?;
        actix_web::rt::System::new().block_on(async {
            let database = open_database(self, &settings, &enabled).await?;
            let result = work(database.clone()).await;
            database.close().await;
            result.map_err(StartError::Database)
        })
    }

    /// Runs the pending migrations of the enabled blueprints, whatever `database.migrate_at_start` says, and returns those that
    /// ran. Of several processes one migrates, and the others wait for it.
    ///
    /// # Errors
    /// When the blueprints conflict, the database is unavailable, its schema is too new, or a migration fails.
    pub fn migrate_database(&self) -> Result<Vec<BlueprintMigrations>, StartError> {
        let (settings, enabled) = self.select_enabled()?;
        let options = (&settings.database).into();
        let migrated = database::migrate(&options, migrations(&enabled), self.program_version());
        actix_web::rt::System::new().block_on(migrated).map_err(StartError::Database)
    }

    /// The state of each migration of the enabled blueprints. Changes nothing, and does not create a database.
    ///
    /// # Errors
    /// When the blueprints conflict, or the database is unavailable.
    pub fn migration_status(&self) -> Result<Vec<BlueprintMigrations>, StartError> {
        let (settings, enabled) = self.select_enabled()?;
        let options = (&settings.database).into();
        let status = database::migration_status(&options, migrations(&enabled));
        actix_web::rt::System::new().block_on(status).map_err(StartError::Database)
    }

    /// Writes a copy of the SQLite database to a new file (mode 0600), while services use it: a consistent state of the time of
    /// the call, synced to disk and checked. Blocks until it is complete or stopped; `progress` is called after each mebibyte.
    ///
    /// # Errors
    /// When the database is PostgreSQL or cannot be read, when the file exists or cannot be written, when the copy is damaged, or
    /// when the backup is stopped.
    pub fn back_up_database(
        &self,
        file: &Path,
        stop: &BackupStop,
        mut progress: impl FnMut(BackupProgress),
    ) -> Result<Backup, BackupError> {
        database::back_up(&self.settings.database.url, file, stop, &mut progress)
    }

    fn program_version(&self) -> Program {
        Program { name: self.name, version: self.version }
    }
}

pub(super) async fn open_database(
    service: &Service,
    settings: &Settings,
    enabled: &[EnabledBlueprint],
) -> Result<Database, StartError> {
    let program = service.program_version();
    let opened = Database::open(&(&settings.database).into(), migrations(enabled), program).await;
    opened.map_err(StartError::Database)
}

/// The migrations of the enabled blueprints.
pub(super) fn migrations(enabled: &[EnabledBlueprint]) -> impl Iterator<Item = (&'static str, Migrations)> {
    let blueprints = enabled.iter().map(|enabled| &enabled.blueprint);
    blueprints.filter_map(|blueprint| Some((blueprint.name(), blueprint.migrations()?)))
}
