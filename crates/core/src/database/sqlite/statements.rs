//! Statements on a SQLite connection.

use rusqlite::{Connection, ErrorCode, ffi};
use tokio::sync::OwnedMappedMutexGuard;

use crate::database::error::{DatabaseError, DriverError};
use crate::database::row::{FromRow, Row};
use crate::database::value::ToSql;

/// Exclusive use of the writing connection.
pub(super) type Writer = OwnedMappedMutexGuard<Option<Connection>, Connection>;

/// Why a statement failed: an error of the driver, or a row that cannot be converted.
pub(super) enum StatementFailure {
    Driver(rusqlite::Error),
    Row(DatabaseError),
}

impl From<rusqlite::Error> for StatementFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<StatementFailure> for DatabaseError {
    fn from(failed: StatementFailure) -> Self {
        match failed {
            StatementFailure::Driver(error) => statement_error(error),
            StatementFailure::Row(error) => error,
        }
    }
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

pub(super) fn statement_error(error: rusqlite::Error) -> DatabaseError {
    let code = error.sqlite_error().map(|error| error.extended_code);
    match code {
        Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => {
            DatabaseError::UniqueViolation(error.into())
        }
        _ => DatabaseError::Statement(DriverError::Sqlite(error)),
    }
}

/// Runs a statement and returns its rows.
pub(super) fn rows<T: FromRow>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
) -> std::result::Result<Vec<T>, StatementFailure> {
    read_rows(&mut connection.prepare_cached(sql)?, values)
}

/// Runs a statement if it only reads, and returns its rows; `None` if it writes.
pub(super) fn rows_if_readonly<T: FromRow>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
) -> std::result::Result<Option<Vec<T>>, StatementFailure> {
    let mut statement = connection.prepare_cached(sql)?;
    if !statement.readonly() {
        return Ok(None);
    }
    read_rows(&mut statement, values).map(Some)
}

fn read_rows<T: FromRow>(
    statement: &mut rusqlite::CachedStatement<'_>,
    values: &[&dyn ToSql],
) -> std::result::Result<Vec<T>, StatementFailure> {
    bind(statement, values)?;
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = statement.raw_query();
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        read.push(T::from_row(&Row::sqlite(row, &names)).map_err(StatementFailure::Row)?);
    }
    Ok(read)
}

/// Runs a statement and returns the number of affected rows.
pub(super) fn changes(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
) -> std::result::Result<u64, StatementFailure> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    if statement.column_count() > 0 {
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        return Ok(connection.changes());
    }
    Ok(statement.raw_execute()? as u64)
}

/// Binds parameters by number: SQLite treats `$2` as a name, and numbers names by their first occurrence.
fn bind(statement: &mut rusqlite::CachedStatement<'_>, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
    for index in 1..=statement.parameter_count() {
        let number = statement.parameter_name(index).and_then(|name| name[1..].parse::<usize>().ok());
        let value = number.and_then(|number| values.get(number.checked_sub(1)?));
        let value = value.ok_or(rusqlite::Error::InvalidParameterCount(values.len(), statement.parameter_count()))?;
        statement.raw_bind_parameter(index, value.to_sqlite()?)?;
    }
    Ok(())
}
