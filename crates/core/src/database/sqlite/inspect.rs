//! Looks at a SQLite file without changing it.

use std::fs;

use super::{Sqlite, SqliteUrl, open};
use crate::database::error::{DatabaseError, Result};
use crate::database::explanation::Explanation;
use crate::database::inspect::{EngineState, Inspection};
use crate::database::migrations::{self, NamedMigrations};
use crate::database::options::Options;

impl Sqlite {
    /// Blocks.
    pub(in crate::database) fn inspect(options: &Options, migrations: Vec<NamedMigrations>) -> Result<Inspection> {
        let address = options.url.clone();
        let failed = |error: rusqlite::Error| {
            DatabaseError::OpenFailed(open::explain(&error).about(&format!("the database {}", options.url)))
        };
        let parsed = SqliteUrl::parse(&options.url)
            .map_err(|why| DatabaseError::OpenFailed(format!("the database URL {why}").into()))?;
        let version = format!("SQLite {}", rusqlite::version());
        let file = parsed.file();
        let size = file.as_ref().and_then(|file| fs::metadata(file).ok()).map(|metadata| metadata.len());
        let (exists, create) = (size.is_some(), parsed.create);
        // A file of no bytes is a new database, too.
        if size.is_none_or(|size| size == 0) {
            if !create && !exists && file.is_some() {
                let missing = Explanation::new("does not exist, and its URL has mode=rw", Some("create it"));
                return Err(DatabaseError::OpenFailed(missing.about(&format!("the database {address}"))));
            }
            let migrations = migrations::of_missing_sqlite(migrations);
            let engine = EngineState::Sqlite { file, exists, journal_mode: String::new(), wal_bytes: 0 };
            return Ok(Inspection { address, version, size: 0, migrations, engine });
        }
        let connection = open::observer(&parsed).map_err(failed)?;
        let journal_mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(failed)?;
        let migrations = migrations::on_sqlite(&connection, migrations).map_err(failed)?;
        let wal = file.as_ref().map(|file| open::beside(file, "-wal"));
        let wal_bytes = wal.and_then(|wal| fs::metadata(wal).ok()).map_or(0, |metadata| metadata.len());
        let engine = EngineState::Sqlite { file, exists, journal_mode, wal_bytes };
        Ok(Inspection { address, version, size: size.unwrap_or_default(), migrations, engine })
    }
}
