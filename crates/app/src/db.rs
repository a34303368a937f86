//! `app db`: migrations and backups, apart from the service.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use cyanotype::{
    Backup, BackupError, BackupProgress, BackupStop, BlueprintMigrations, MigrationInfo, MigrationState, Service,
};
use serde_json::json;

use crate::error::CommandError;
use crate::print::{columns, print, print_progress, to_json};
use crate::signals;

/// Time after which progress is printed, and interval between two lines of it.
const PROGRESS_AFTER: Duration = Duration::from_secs(2);

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Run the pending migrations
    ///
    /// Runs those of all enabled blueprints, whatever database.migrate_at_start is, while services use the database or not. Of
    /// several processes one migrates, and the others wait. Exit status: 0 the schema is current, 69 the database is unavailable
    /// or a migration failed, 78 a newer version of the program wrote the schema, a migration was changed after it had run, or
    /// invalid configuration.
    Migrate {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the migrations of each blueprint: applied, pending, newer (not in this program), or changed since they ran
    ///
    /// Changes nothing. Exit status: 0 all are applied, 1 some are pending, newer or changed, 69 the database is unavailable, 78
    /// invalid configuration.
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy the SQLite database to a new file, while services use it
    ///
    /// The copy has the state of one moment, mode 0600, and is synced and checked. An existing file is never replaced. Exit status:
    /// 0 the backup is complete, 1 it could not be written, or SIGTERM or SIGINT stopped it (nothing of it remains), 69 the database
    /// cannot be read, 78 the database is PostgreSQL (use pg_dump), or invalid configuration. A command that SIGKILL ends leaves
    /// FILE.unfinished, which the next backup to FILE replaces.
    Backup(BackupTo),
}

#[derive(Debug, Args)]
pub(crate) struct BackupTo {
    /// The new file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl DbCommand {
    pub(crate) fn run(self, service: &Service) -> Result<(), CommandError> {
        match self {
            Self::Migrate { json } => migrate(service, json),
            Self::Status { json } => status(service, json),
            Self::Backup(backup) => backup.run(service),
        }
    }
}

fn migrate(service: &Service, json: bool) -> Result<(), CommandError> {
    let applied = service.migrate_database().map_err(CommandError::NotStarted)?;
    if json {
        return print(&to_json(&applied)?);
    }
    match applied.is_empty() {
        true => print("no migrations are pending"),
        false => print(&table(&applied)),
    }
}

fn status(service: &Service, json: bool) -> Result<(), CommandError> {
    let blueprints = service.migration_status().map_err(CommandError::NotStarted)?;
    let count = |state| blueprints.iter().flat_map(|it| it.in_state(state)).count();
    let others = [MigrationState::Pending, MigrationState::Newer, MigrationState::Changed];
    let others: Vec<(&str, usize)> = others.map(|state| (state.as_str(), count(state))).to_vec();
    let is_current = others.iter().all(|(_, count)| *count == 0);
    if json {
        print(&to_json(&json!({"current": is_current, "blueprints": blueprints}))?)?;
    } else {
        let others = others.iter().map(|(state, count)| format!(", {count} {state}"));
        let summary: String = others.collect();
        print(&format!("{}\n{} applied{summary}", table(&blueprints), count(MigrationState::Applied)))?;
    }
    if is_current { Ok(()) } else { Err(CommandError::Negative) }
}

fn table(blueprints: &[BlueprintMigrations]) -> String {
    let mut rows = vec![["BLUEPRINT", "MIGRATION", "STATE", "APPLIED AT"].map(str::to_owned).to_vec()];
    rows.extend(blueprints.iter().flat_map(|it| {
        it.migrations.iter().map(|MigrationInfo { version, name, state, applied_at, .. }| {
            let applied_at = applied_at.clone().unwrap_or_else(|| "-".into());
            vec![it.blueprint.clone(), format!("V{version}__{name}"), state.as_str().to_owned(), applied_at]
        })
    }));
    columns(&rows)
}

impl BackupTo {
    fn run(&self, service: &Service) -> Result<(), CommandError> {
        let stop = BackupStop::default();
        let stopping = stop.clone();
        signals::on_stop(move |_| stopping.stop())?;
        let mut progress = Progress::default();
        let finished = service.back_up_database(&self.file, &stop, |it| {
            if let Some(line) = progress.line(it, Instant::now()) {
                print_progress(&line);
            }
        });
        let Backup { bytes, .. } = finished.map_err(|error| match error {
            BackupError::NotAFile(_) => CommandError::BadConfiguration(error.to_string()),
            BackupError::Unreadable(_) => CommandError::Unavailable(error.to_string()),
            _ => CommandError::Other(error.to_string()),
        })?;
        let file = self.file.display();
        if self.json {
            return print(&to_json(&json!({"file": file.to_string(), "bytes": bytes}))?);
        }
        print(&format!("{file}: {bytes} bytes, complete and checked"))
    }
}

/// Decides when a backup that takes long prints a line.
#[derive(Default)]
struct Progress {
    /// The begin, or the last line.
    since: Option<Instant>,
}

impl Progress {
    fn line(&mut self, progress: BackupProgress, now: Instant) -> Option<String> {
        const MIB: u64 = 1024 * 1024;
        if now.duration_since(*self.since.get_or_insert(now)) < PROGRESS_AFTER {
            return None;
        }
        self.since = Some(now);
        Some(match progress {
            BackupProgress::Copying { copied, total } => {
                format!("copied {} of {} MiB ({} %)", copied / MIB, total / MIB, copied * 100 / total.max(1))
            }
            _ => "checking the copy".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_printed_every_two_seconds() {
        let began = Instant::now();
        let mut progress = Progress::default();
        let mut at = |ms: u64, copied: u64| {
            let copying = BackupProgress::Copying { copied: copied << 20, total: 400 << 20 };
            progress.line(copying, began + Duration::from_millis(ms))
        };
        assert_eq!([at(0, 1), at(1999, 100)], [None, None]);
        assert_eq!(at(2000, 101).as_deref(), Some("copied 101 of 400 MiB (25 %)"));
        assert_eq!(at(3999, 200), None);
        assert_eq!(at(4000, 201).as_deref(), Some("copied 201 of 400 MiB (50 %)"));
    }
}
