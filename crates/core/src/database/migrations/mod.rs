//! Migrations: a directory of SQL files for each engine, which refinery runs at startup or by command, in one process at a
//! time.

mod embedded;
mod errors;
mod history;
mod run;
mod status;

pub use embedded::Migrations;
pub(crate) use embedded::Program;
pub(super) use embedded::{NamedMigrations, with_framework};
pub(super) use run::{MigrationFailure, run_on_postgres, run_on_sqlite};
pub use status::{BlueprintMigrations, MigrationInfo, MigrationState};
pub(super) use status::{of_missing_sqlite, on_postgres, on_sqlite, require_current};
