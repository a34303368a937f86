//! Why the schema of a database does not fit this program.

use super::embedded::Program;
use crate::database::error::DatabaseError;

/// The error for an applied migration that this program contains with another content.
pub(super) fn changed_migration(blueprint: &str, applied: &str) -> DatabaseError {
    DatabaseError::MigrationChanged(format!(
        "the migrations of {blueprint} failed: {applied} was changed after it had run: restore the file, and add a new \
         migration instead"
    ))
}

/// The error for an applied migration that this program does not contain, although it contains newer ones.
pub(super) fn missing_migration(blueprint: &str, applied: &str) -> DatabaseError {
    DatabaseError::MigrationChanged(format!(
        "the migrations of {blueprint} failed: {applied} was removed after it had run: restore the file"
    ))
}

/// The error for an applied migration that this program does not contain, with the newest version that it contains.
pub(super) fn written_by_newer(
    blueprint: &str,
    program: Program,
    unknown: &str,
    known: i64,
    writer: Option<String>,
) -> DatabaseError {
    let writer = writer.unwrap_or_else(|| "a newer version".into());
    DatabaseError::SchemaTooNew(format!(
        "the schema of {blueprint} was written by {writer} (migration {unknown}), and {program} supports it only up to \
         V{known}: start that version or a newer one, or restore a backup from before the upgrade"
    ))
}
